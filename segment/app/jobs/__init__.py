"""Jobs of the app: labelling and mapping for visitors, their queue, and their models."""
