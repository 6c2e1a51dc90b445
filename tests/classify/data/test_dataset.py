from collections import Counter
from functools import partial
from pathlib import Path

import numpy as np
import pytest

from classify.augment_settings import AugmentSettings
from classify.data.augment import augmentation
from classify.data.dataset import Drawing, ImageDataset, draw_chances, one_hot
from classify.data.images import LabelledImage
from classify.data.mixing import mix
from classify.data.pixels import ImagePixels, centre_crop, read_image
from segment.core.pixels.normalise import BandStatistics
from tests.classify.conftest import picture, write_class

pytestmark = pytest.mark.heavy


def statistics(bands: int = 3, dtype: str = "uint8", high: float = 255) -> BandStatistics:
    zeros = np.zeros(bands)
    return BandStatistics(dtype, 1, zeros, zeros + high, zeros + high / 2, zeros + high / 4)


AUGMENT = partial(augmentation, AugmentSettings(quarter_turns=True), 32, statistics())


def labelled(*labels: tuple[int, ...]) -> list[LabelledImage]:
    return [
        LabelledImage(Path(f"{number}.png"), label, None, "a")
        for number, label in enumerate(labels)
    ]


@pytest.fixture
def images(tmp_path) -> list[LabelledImage]:
    """Five of class 0 and five of class 1."""
    paths = [
        (path, label) for label in (0, 1) for path in write_class(tmp_path / str(label), label, 5)
    ]
    return [LabelledImage(path, (label,), None, "a") for path, label in paths]


def dataset(
    images: list[LabelledImage], size: int = 32, batch_size: int = 4, **drawing
) -> ImageDataset:
    pixels = ImagePixels(read_image, megabytes=1)
    return ImageDataset(images, pixels, 2, size, batch_size, drawing=Drawing(**drawing))


def everything(data: ImageDataset) -> list[np.ndarray]:
    return [array for index in range(len(data)) for array in data[index]]


def same(first: list[np.ndarray], second: list[np.ndarray]) -> bool:
    return all(np.array_equal(a, b) for a, b in zip(first, second, strict=True))


def test_without_augmentation_images_come_in_order_once_cropped_to_their_middle(images):
    data = dataset(images)
    batch, labels = data[0]
    assert (batch.shape, batch.dtype, labels.dtype) == ((4, 32, 32, 3), np.uint8, np.float32)
    assert [len(data[index][0]) for index in range(len(data))] == [4, 4, 2]
    for index, image in enumerate(images):
        pixels, truth = (array[index % 4] for array in data[index // 4])
        np.testing.assert_array_equal(pixels, read_image(image.path)[2:34, 2:34])
        np.testing.assert_array_equal(pixels, data.image_at(index))
        assert truth.tolist() == [index < 5, index >= 5]


def test_images_smaller_than_the_crop_are_continued(images):
    batch, _ = dataset(images, size=64)[0]
    assert batch.shape == (4, 64, 64, 3)
    np.testing.assert_array_equal(batch[0, 14:50, 14:50], read_image(images[0].path))


def test_an_epoch_holds_each_image_once_in_an_order_of_its_own(images):
    flat = partial(
        augmentation, AugmentSettings(random_crop=False, brightness=0, contrast=0), 32, statistics()
    )
    data = dataset(images, augment=flat, seed=1)

    def order() -> list[float]:  # flips keep the mean, and no two images have the same
        return [float(image.mean()) for index in range(len(data)) for image in data[index][0]]

    first = order()
    assert sorted(first) == pytest.approx(sorted(float(data.image_at(i).mean()) for i in range(10)))
    data.on_epoch_end()
    assert order() != first and sorted(order()) == pytest.approx(sorted(first))


def test_epochs_differ_and_repeat_whatever_is_read_first(images):
    options = {
        "augment": AUGMENT,
        "mix": partial(mix, mixup=0.4, cutmix=0.4),
        "weighted": True,
        "seed": 3,
    }
    first, second = (dataset(images, **options) for _ in range(2))
    last = second[2]
    start = everything(first)
    assert same(start[-2:], list(last)) and same(start, everything(second))
    first.on_epoch_end()
    assert not same(start, everything(first))
    second.epoch = 1
    assert same(everything(first), everything(second))
    assert not same(start, everything(dataset(images, **(options | {"seed": 4}))))


def test_changes_leave_what_is_kept_in_memory_as_it_was(images):
    pixels = ImagePixels(read_image, megabytes=1)
    settings = AugmentSettings(
        random_crop=False, horizontal_flip=0, vertical_flip=0, brightness=0.5, cutout=1
    )
    change = partial(augmentation, settings, 36, statistics())
    drawing = Drawing(augment=change, mix=partial(mix, mixup=1, cutmix=1))
    data = ImageDataset(images, pixels, 2, 36, 4, drawing=drawing)
    everything(data)
    for image in images:
        assert pixels.load(image) is pixels.load(image)
        np.testing.assert_array_equal(pixels.load(image), read_image(image.path))


@pytest.mark.parametrize(
    "alphas, mixed", [((0, 0), False), ((1, 0), True), ((0, 1), True), ((1, 1), True)]
)
def test_batches_are_mixed_with_their_labels(images, alphas, mixed):
    data = dataset(
        images, batch_size=10, augment=AUGMENT, mix=partial(mix, mixup=alphas[0], cutmix=alphas[1])
    )
    shares = []
    for epoch in range(5):
        data.epoch = epoch
        batch, labels = data[0]
        assert (batch.dtype, labels.dtype) == (np.uint8, np.float32)
        np.testing.assert_allclose(labels.sum(axis=1), 1, rtol=1e-6)
        shares += labels[:, 0].tolist()
    assert any(0 < share < 1 for share in shares) == mixed


def test_any_bands_and_dtype_stay_as_they_are(tmp_path):
    write = partial(write_class, tmp_path, 1, 3, suffix=".tif", bands=13, dtype="uint16")
    images = [LabelledImage(path, (1,), None, "a") for path in write()]
    augment = partial(augmentation, AugmentSettings(blur=1), 32, statistics(13, "uint16", 255))
    batch, _ = dataset(images, augment=augment)[0]
    assert (batch.shape, batch.dtype) == ((3, 32, 32, 13), np.uint16)


def test_pixels_are_read_once_while_they_fit(images):
    reads: list[Path] = []

    def read(path: Path) -> np.ndarray:
        reads.append(path)
        return read_image(path)

    data = ImageDataset(images, ImagePixels(read, megabytes=1), 2, 32, 4)
    everything(data)
    everything(data)
    assert Counter(reads) == {image.path: 1 for image in images}


def test_one_hot():
    assert one_hot(labelled((0,), (2,)), 3).tolist() == [[1, 0, 0], [0, 0, 1]]
    assert one_hot(labelled((0, 2), ()), 3).tolist() == [[1, 0, 1], [0, 0, 0]]


def test_chances_are_the_same_for_each_class():
    images = labelled(*[(0,)] * 30, *[(1,)] * 6, (2,))
    chances = draw_chances(images)
    assert chances.sum() == pytest.approx(1)
    for label in range(3):
        assert chances[[i.labels == (label,) for i in images]].sum() == pytest.approx(1 / 3)


def test_chances_of_several_labels_go_by_the_rarest_and_none_is_a_class():
    chances = draw_chances(labelled((0,), (0,), (0,), (0, 1), (0, 1), ()))
    np.testing.assert_allclose(chances, [1 / 9] * 3 + [1 / 6] * 2 + [1 / 3])


def test_weighted_draws_equalise_classes(tmp_path):
    paths = [
        (path, label)
        for label, count in ((0, 36), (1, 4))
        for path in write_class(tmp_path / str(label), label, count)
    ]
    images = [LabelledImage(path, (label,), None, "a") for path, label in paths]
    drawn = {}
    for weighted in (False, True):
        data = dataset(images, batch_size=40, augment=AUGMENT, weighted=weighted)
        drawn[weighted] = []
        for epoch in range(20):
            data.epoch = epoch
            drawn[weighted].append(float(data[0][1][:, 1].mean()))
    assert drawn[False] == pytest.approx([0.1] * 20)
    # 800 draws: four standard deviations
    assert np.mean(drawn[True]) == pytest.approx(0.5, abs=0.07)


def test_what_is_scored_is_what_a_model_would_see(images):
    large = picture(0, 0, size=50)
    data = ImageDataset(images[:1], ImagePixels(lambda path: large, megabytes=0), 2, 32, 1)
    np.testing.assert_array_equal(data[0][0][0], centre_crop(large, 32))
