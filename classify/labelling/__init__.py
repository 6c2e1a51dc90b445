"""Labels of images, and of the cells of scenes, from a trained model."""
