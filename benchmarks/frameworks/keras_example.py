"""The convolutional MNIST example that came with Keras, up to a test accuracy: the rival of time_to_99.

Two convolutions of 3×3, dropout, batches of 128, evaluated after each epoch; Adam (the original's Adadelta,
with today's default learning rate, needs far longer). Its last line of output is JSON.
"""

import argparse
import json
import os
from importlib.metadata import version
from pathlib import Path

os.environ["KERAS_BACKEND"] = "tensorflow"
os.environ["TF_CPP_MIN_LOG_LEVEL"] = "2"

import keras
import numpy as np
from keras import layers


class StopAt(keras.callbacks.Callback):
    def __init__(self, accuracy: float) -> None:
        super().__init__()
        self._accuracy = accuracy

    def on_epoch_end(self, epoch: int, logs: dict[str, float] | None = None) -> None:  # noqa: ARG002  # Keras's
        if (logs or {})["val_accuracy"] >= self._accuracy:
            self.model.stop_training = True


def main() -> None:
    parser = argparse.ArgumentParser(description="the MNIST example of Keras")
    parser.add_argument("data", type=Path, help="folder of train_images.npy, train_labels.npy, test_….npy")
    parser.add_argument("--accuracy", type=float, required=True, help="where it stops")
    parser.add_argument("--epochs", type=int, default=12, help="at most; the original's 12")
    given = parser.parse_args()
    (train, target), (test, truth) = (
        (
            np.load(given.data / f"{side}_images.npy").astype("float32")[..., None] / 255,
            keras.utils.to_categorical(np.load(given.data / f"{side}_labels.npy"), 10),
        )
        for side in ("train", "test")
    )
    model = keras.Sequential(
        [
            keras.Input((28, 28, 1)),
            layers.Conv2D(32, 3, activation="relu"),
            layers.Conv2D(64, 3, activation="relu"),
            layers.MaxPooling2D(2),
            layers.Dropout(0.25),
            layers.Flatten(),
            layers.Dense(128, activation="relu"),
            layers.Dropout(0.5),
            layers.Dense(10, activation="softmax"),
        ]
    )
    model.compile(loss="categorical_crossentropy", optimizer="adam", metrics=["accuracy"])
    history = model.fit(
        train,
        target,
        batch_size=128,
        epochs=given.epochs,
        validation_data=(test, truth),
        callbacks=[StopAt(given.accuracy)],
        verbose=2,
    )
    print(
        json.dumps(
            {
                "accuracy": [float(value) for value in history.history["val_accuracy"]],
                "versions": {name: version(name) for name in ("keras", "tensorflow-cpu")},
            }
        )
    )


if __name__ == "__main__":
    main()
