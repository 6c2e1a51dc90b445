"""Operations on the pixels of images and tiles."""

import os

# all imports of albumentations go through this room: they would look for a newer version online
os.environ.setdefault("NO_ALBUMENTATIONS_UPDATE", "1")
