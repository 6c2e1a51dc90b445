"""Class tables, and masks that hold classes."""
