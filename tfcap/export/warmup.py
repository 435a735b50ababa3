"""Requests that TensorFlow Serving runs before it says that a model is ready.

`assets.extra/tf_serving_warmup_requests` is a TFRecord file of `PredictionLog` messages
(tensorflow_serving/apis/prediction_log.proto). They are written by the package
tensorflow-serving-api where it is installed, and else put together here: of all its
messages they need five fields.
"""

import os

import tensorflow as tf

from records.format.protobuf_wire import field

FILE_NAME = os.path.join("assets.extra", "tf_serving_warmup_requests")
MODEL = "caption"
SIGNATURES = ("serving_default", "beams", "explain")
BATCHES = (1, 8)
# Numbers of the fields.
PREDICT_LOG, REQUEST, MODEL_SPEC, INPUTS = 6, 1, 1, 2
NAME, SIGNATURE_NAME = 1, 3
KEY, VALUE = 1, 2


def write(path: str) -> None:
    """Writes the file into the SavedModel at `path`."""
    file = os.path.join(path, FILE_NAME)
    tf.io.gfile.makedirs(os.path.dirname(file))
    with tf.io.TFRecordWriter(file) as writer:
        for signature in SIGNATURES:
            for batch in BATCHES:
                writer.write(request(signature, batch))


def request(signature: str, batch: int) -> bytes:
    """A PredictionLog of a request for `batch` black photos."""
    photo = tf.io.encode_jpeg(tf.zeros([32, 32, 3], tf.uint8)).numpy()
    photos = tf.make_tensor_proto([photo] * batch)
    return (by_package if has_package() else by_hand)(signature, photos)


def written_by() -> str:
    """What puts the messages together here."""
    return "tensorflow-serving-api" if has_package() else "tfcap itself"


def has_package() -> bool:
    try:
        import tensorflow_serving.apis.prediction_log_pb2  # noqa: F401
    except ImportError:
        return False
    return True


def by_package(signature: str, photos) -> bytes:
    from tensorflow_serving.apis.prediction_log_pb2 import PredictionLog

    log = PredictionLog()
    request = log.predict_log.request
    request.model_spec.name = MODEL
    request.model_spec.signature_name = signature
    request.inputs["image_bytes"].CopyFrom(photos)
    return log.SerializeToString(deterministic=True)


def by_hand(signature: str, photos) -> bytes:
    spec = field(NAME, MODEL.encode()) + field(SIGNATURE_NAME, signature.encode())
    entry = field(KEY, b"image_bytes") + field(VALUE, photos.SerializeToString())
    request = field(MODEL_SPEC, spec) + field(INPUTS, entry)
    return field(PREDICT_LOG, field(REQUEST, request))
