"""What the leader of a workshop hands out and looks at: the bundle and the room."""
