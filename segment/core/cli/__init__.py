"""Code that the command lines of both packages share."""
