"""Crops and mirror images: where they are cut, and what their average is."""

import itertools

import numpy as np
import pytest
import tensorflow as tf
from drawn_photos import encoded, sharp, small
from PIL import Image, ImageOps

from tfcap.encoders import Encoder, crops, keras_applications, load_encoder
from tfcap.encoders.encoder import freeze

SIDE = 37  # of a photo that crops of 32 pixels are cut out of: nothing is resized


def crops_of(image: Image.Image) -> list[Image.Image]:
    """As in Krizhevsky et al.: four corners and the centre."""
    room = SIDE - 32
    places = [*itertools.product((0, room), (0, room)), (room // 2, room // 2)]
    return [image.crop((x, y, x + 32, y + 32)) for x, y in places]


def mirrors_of(images: list[Image.Image]) -> list[Image.Image]:
    return [*images, *map(ImageOps.mirror, images)]


def encoder(pooling: str = "avg", **changes) -> Encoder:
    return load_encoder(small(layer="conv1", pooling=pooling, **changes))


def features(encoder: Encoder, images: list[Image.Image]) -> np.ndarray:
    found, bad = encoder.encode([encoded(image) for image in images])
    assert not bad
    return found


def test_crops_are_those_of_the_paper():
    assert crops.photo_side(224, 5) == 256
    assert crops.photo_side(299, 5) == 342
    assert crops.photo_side(224, 1) == 224
    assert crops.corners(32, 5) == [(0, 0), (0, 32), (32, 0), (32, 32), (16, 16)]
    assert len(crops.views(224, 256, 5, True)) == 10


def test_a_view_names_rows_and_columns_of_the_photo():
    plain, mirrored = crops.views(2, 2, 1, True)
    assert [part.tolist() for part in plain[:2]] == [[0, 1], [0, 1]]
    assert [part.tolist() for part in mirrored[:2]] == [[0, 1], [1, 0]]
    assert (plain[2], mirrored[2]) == (False, True)
    rows = [rows.tolist() for rows, _, _ in crops.views(2, 4, 5, False)]
    assert rows == [[0, 1], [0, 1], [2, 3], [2, 3], [1, 2]]


@pytest.mark.parametrize("pooling", ["avg", "flatten"])
@pytest.mark.parametrize(("crops", "flip"), [(5, False), (5, True), (1, True)])
def test_features_are_the_mean_over_the_views(pooling, crops, flip):
    photo = sharp(0, SIDE if crops > 1 else 32)
    images = crops_of(photo) if crops > 1 else [photo]
    images = mirrors_of(images) if flip else images
    each = features(encoder("grid"), images)
    if flip:  # the cells of a mirror image stand the other way round
        half = len(images) // 2
        each = np.concatenate([each[:half], each[half:, :, ::-1]])
    expected = each.mean((0, 1, 2)) if pooling == "avg" else each.mean(0).ravel()
    found = features(encoder(pooling, crops=crops, flip=flip), [photo])
    np.testing.assert_allclose(found[0], expected, 1e-4, 1e-6)


def test_a_grid_is_averaged_with_the_mirrored_grid_of_the_mirror_image():
    photo = sharp(0, 32)
    plain, mirrored = features(encoder("grid"), mirrors_of([photo]))
    found = features(encoder("grid", flip=True), [photo, ImageOps.mirror(photo)])
    np.testing.assert_allclose(found[0], (plain + mirrored[:, ::-1]) / 2, 1e-4, 1e-6)
    # So the mirror image has the mirrored features.
    np.testing.assert_allclose(found[1], found[0][:, ::-1], 1e-4, 1e-6)


def test_every_photo_of_a_batch_has_its_own_views():
    photos = [sharp(seed, SIDE) for seed in range(3)]
    viewed = encoder(crops=5, flip=True)
    together = features(viewed, photos)
    alone = [features(viewed, [photo])[0] for photo in photos]
    np.testing.assert_allclose(together, alone, 1e-4, 1e-7)
    assert np.abs(together[0] - together[1]).max() > 1e-4


def test_bad_photos_cost_only_themselves_with_views_too():
    viewed = encoder(crops=5, flip=True)
    photos = [encoded(sharp(0, 40)), b"no photo", encoded(sharp(1, 40))]
    found, bad = viewed.encode(photos)
    assert [i for i, _ in bad] == [1]
    np.testing.assert_array_equal(found, viewed.encode([photos[0], photos[2]])[0])


def test_the_graph_holds_the_network_once_however_many_views():
    network = keras_applications.load(small(layer="conv1"))
    frozen = freeze(network, small(layer="conv1", crops=5, flip=True))
    kinds = [node.op for node in all_nodes(frozen.graph.as_graph_def())]
    assert sum("Conv2D" in kind for kind in kinds) == 1


def all_nodes(graph: tf.compat.v1.GraphDef):
    yield from graph.node
    for function in graph.library.function:
        yield from function.node_def
