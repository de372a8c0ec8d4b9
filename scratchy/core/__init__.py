"""The pure part: what a conversation is, how a turn goes. No I/O, no clock, no ids made here; standard library only."""
