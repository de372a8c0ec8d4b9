"""The face for editors: the Agent Client Protocol over stdio, with its official SDK."""
