"""The part of the command line that needs torch."""
