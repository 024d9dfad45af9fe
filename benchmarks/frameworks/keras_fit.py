"""Keras 3 on TensorFlow: `model.fit` on arrays in memory. Its defaults, without its progress bar."""

import os

os.environ["KERAS_BACKEND"] = "tensorflow"
os.environ["TF_CPP_MIN_LOG_LEVEL"] = "2"

import keras
import numpy as np
import tensorflow
from keras import layers

from benchmarks.frameworks.turns import BATCH, LR, Turns, options


class OnCall(keras.callbacks.Callback):
    def __init__(self, turns: Turns) -> None:
        super().__init__()
        self._turns = turns

    def on_epoch_end(self, epoch: int, logs: dict[str, float] | None = None) -> None:  # noqa: ARG002  # Keras's
        self._turns.done(float((logs or {})["val_accuracy"]))


def mnist_cnn() -> keras.Model:
    return keras.Sequential(
        [
            keras.Input((28, 28, 1)),
            layers.Conv2D(32, 5, padding="same", activation="relu"),
            layers.MaxPooling2D(2),
            layers.Conv2D(64, 5, padding="same", activation="relu"),
            layers.MaxPooling2D(2),
            layers.Flatten(),
            layers.Dense(1024, activation="relu"),
            layers.Dropout(0.5),
            layers.Dense(10),
        ]
    )


def main() -> None:
    given = options("Keras")
    tensorflow.config.threading.set_intra_op_parallelism_threads(given.threads)
    (train, target), (test, truth) = (
        (
            np.load(given.data / f"{side}_images.npy").astype("float32")[..., None] / 255,
            np.load(given.data / f"{side}_labels.npy"),
        )
        for side in ("train", "test")
    )
    model = mnist_cnn()
    model.compile(
        optimizer=keras.optimizers.Adam(LR),
        loss=keras.losses.SparseCategoricalCrossentropy(from_logits=True),
        metrics=["accuracy"],
    )
    turns = Turns("keras", "tensorflow-cpu")
    model.fit(
        train,
        target,
        batch_size=BATCH,
        epochs=given.epochs,
        validation_data=(test, truth),
        callbacks=[OnCall(turns)],
        verbose=0,
    )


if __name__ == "__main__":
    main()
