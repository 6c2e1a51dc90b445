"""Results in notebooks: tables as HTML, pictures on the axes of Matplotlib."""
