"""Operations on the pixels of images and tiles."""
