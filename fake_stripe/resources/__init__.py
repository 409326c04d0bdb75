"""One module per kind of object, with its parameters and calls."""
