"""Generators: autoencoders that learn labelled images and draw new pictures of each class."""
