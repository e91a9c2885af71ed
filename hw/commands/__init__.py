"""One function a subcommand: reads its arguments, calls the package, prints the result.

What a subcommand needs is imported when it runs, so that the others start at once.
"""
