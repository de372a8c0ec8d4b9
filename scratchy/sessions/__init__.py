"""What every face uses: SessionManager (sync, by id) and Conversation (one open session, async)."""
