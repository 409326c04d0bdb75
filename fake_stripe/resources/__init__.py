"""One module per kind of object: its parameters, its calls, its rules."""
