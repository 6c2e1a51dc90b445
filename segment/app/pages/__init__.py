"""The page of the app: its tabs, their components, and the HTML that they show."""
