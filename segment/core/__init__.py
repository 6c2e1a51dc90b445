"""Code that the packages segment and classify share."""
