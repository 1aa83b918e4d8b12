"""What a terminal can do, and what is drawn on it. Nothing here reads or decides what a run does."""
