"""The strategies of a search, each in a file named after it."""
