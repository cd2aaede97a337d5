"""In: the name of a data set or of a recipe. Out: verified arrays, settings."""
