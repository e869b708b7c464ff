"""Values to messages and back, by noun; stamps and frame ids pass through unchanged."""
