"""The named data sets: where they come from, their files with MD5, their classes. The one table of them.

Addresses, checksums and class names are those of torchvision 0.29 (torchvision/datasets); files lie as
torchvision lays them. Of CIFAR torchvision takes the pickled version, and unpickling runs code: here it is
the binary version; its checksums stand at https://www.cs.toronto.edu/~kriz/cifar.html. MD5 tells a damaged
or a wrong file; it is what the publishers give.
"""

import difflib
import string
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Literal

from convoy.errors import ConfigError

Kind = Literal["idx", "cifar", "svhn", "stl10"]


@dataclass(frozen=True)
class Part:
    """Pictures and labels of one split: names of files in the set's folder; a raw idx file may lie as .gz."""

    split: str
    images: str
    labels: str = ""  # where they lie in a file of their own


@dataclass(frozen=True)
class Remote:
    """A file to fetch.

    Attributes:
        name: below the address.
        md5: of the file, as published.
        members: of an archive, the members to take out, with the names that they get in the set's folder;
            None: the file itself is what is wanted.
    """

    name: str
    md5: str
    members: Mapping[str, str] | None = None


@dataclass(frozen=True)
class NamedSet:
    """One data set.

    Attributes:
        kind: how its files are read.
        folder: where they lie below `data.path`, as torchvision lays them.
        parts: its splits, in the order of the samples.
        classes: names in the order of their labels.
        mirrors: addresses of folders that hold its remote files.
        remotes: what to fetch.
        first: the label of the first class.
        label_bytes: of cifar, the bytes before the pixels; the last of them is the label.
        transposed: of idx, rows and columns of the stored pictures are exchanged.
    """

    kind: Kind
    folder: str
    parts: Sequence[Part]
    classes: Sequence[str]
    mirrors: Sequence[str]
    remotes: Sequence[Remote]
    first: int = 0
    label_bytes: int = 1
    transposed: bool = False


def _mnist_like(name: str, classes: Sequence[str], mirrors: Sequence[str], md5: Sequence[str]) -> NamedSet:
    """A set in the four files of MNIST.

    Args:
        name: of the class in torchvision.
        classes: in the order of their labels.
        mirrors: addresses.
        md5: of the gzipped training images and labels, test images and labels.
    """
    parts = [
        Part(split, f"{prefix}-images-idx3-ubyte", f"{prefix}-labels-idx1-ubyte")
        for split, prefix in (("train", "train"), ("test", "t10k"))
    ]
    files = [file for part in parts for file in (part.images, part.labels)]
    remotes = [Remote(f"{file}.gz", digest) for file, digest in zip(files, md5, strict=True)]
    return NamedSet("idx", f"{name}/raw", parts, classes, mirrors, remotes)


def _emnist(name: str, classes: Sequence[str], first: int = 0) -> NamedSet:
    """One of the six divisions of EMNIST (arXiv 1702.05373); its pictures are stored column by column."""
    parts = [
        Part(
            split,
            f"emnist-{name}-{split}-images-idx3-ubyte",
            f"emnist-{name}-{split}-labels-idx1-ubyte",
        )
        for split in ("train", "test")
    ]
    files = [f"{file}.gz" for part in parts for file in (part.images, part.labels)]
    archive = Remote("gzip.zip", "58c8d27c78d21e728a6bc7b3cc06412e", {f"gzip/{file}": file for file in files})
    mirrors = ["https://biometrics.nist.gov/cs_links/EMNIST/"]
    return NamedSet("idx", "EMNIST/raw", parts, classes, mirrors, [archive], first, transposed=True)


def _cifar(
    folder: str,
    archive: Remote,
    train: Sequence[str],
    test: str,
    classes: Sequence[str],
    label_bytes: int = 1,
) -> NamedSet:
    parts = [*(Part("train", file) for file in train), Part("test", test)]
    members = {f"{folder}/{file}": file for file in (*train, test)}
    mirrors = ["https://www.cs.toronto.edu/~kriz/"]
    remotes = [replace(archive, members=members)]
    return NamedSet("cifar", folder, parts, classes, mirrors, remotes, label_bytes=label_bytes)


_DIGITS = list(string.digits)
_FASHION = [
    "T-shirt/top",
    "Trouser",
    "Pullover",
    "Dress",
    "Coat",
    "Sandal",
    "Shirt",
    "Sneaker",
    "Bag",
    "Ankle boot",
]
_HIRAGANA = ["o", "ki", "su", "tsu", "na", "ha", "ma", "ya", "re", "wo"]
_LETTERS = [*_DIGITS, *string.ascii_uppercase, *string.ascii_lowercase]
_MERGED = [*_DIGITS, *string.ascii_uppercase, *"abdefghnqrt"]  # lower-case letters that differ in shape
_CIFAR10 = ["airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck"]
_STL10 = ["airplane", "bird", "car", "cat", "deer", "dog", "horse", "monkey", "ship", "truck"]
_CIFAR100 = [
    "apple", "aquarium_fish", "baby", "bear", "beaver", "bed", "bee", "beetle", "bicycle", "bottle", "bowl",
    "boy", "bridge", "bus", "butterfly", "camel", "can", "castle", "caterpillar", "cattle", "chair",
    "chimpanzee", "clock", "cloud", "cockroach", "couch", "crab", "crocodile", "cup", "dinosaur", "dolphin",
    "elephant", "flatfish", "forest", "fox", "girl", "hamster", "house", "kangaroo", "keyboard", "lamp",
    "lawn_mower", "leopard", "lion", "lizard", "lobster", "man", "maple_tree", "motorcycle", "mountain",
    "mouse", "mushroom", "oak_tree", "orange", "orchid", "otter", "palm_tree", "pear", "pickup_truck",
    "pine_tree", "plain", "plate", "poppy", "porcupine", "possum", "rabbit", "raccoon", "ray", "road",
    "rocket", "rose", "sea", "seal", "shark", "shrew", "skunk", "skyscraper", "snail", "snake", "spider",
    "squirrel", "streetcar", "sunflower", "sweet_pepper", "table", "tank", "telephone", "television",
    "tiger", "tractor", "train", "trout", "tulip", "turtle", "wardrobe", "whale", "willow_tree", "wolf",
    "woman", "worm",
]  # fmt: skip

SETS: dict[str, NamedSet] = {
    "MNIST": _mnist_like(
        "MNIST",
        _DIGITS,
        ["https://ossci-datasets.s3.amazonaws.com/mnist/", "http://yann.lecun.com/exdb/mnist/"],
        [
            "f68b3c2dcbeaaa9fbdd348bbdeb94873",
            "d53e105ee54ea40749a09fcbcd1e9432",
            "9fb629c4189551a2d022fa330f9573f3",
            "ec29112dd5afa0611ce80d1b7f02629c",
        ],
    ),
    "FashionMNIST": _mnist_like(
        "FashionMNIST",
        _FASHION,
        ["http://fashion-mnist.s3-website.eu-central-1.amazonaws.com/"],
        [
            "8d4fb7e6c68d591d4c3dfef9ec88bf0d",
            "25c81989df183df01b3e8a0aad5dffbe",
            "bef4ecab320f06d8554ea6380940ec79",
            "bb300cfdad3c16e7a12a480ee83cd310",
        ],
    ),
    "KMNIST": _mnist_like(
        "KMNIST",
        _HIRAGANA,
        ["http://codh.rois.ac.jp/kmnist/dataset/kmnist/"],
        [
            "bdb82020997e1d708af4cf47b453dcf7",
            "e144d726b3acfaa3e44228e80efcd344",
            "5c965bf0a639b31b8f53240b1b52f4d7",
            "7320c461ea6c1c855c0b718fb2a4b134",
        ],
    ),
    "QMNIST": NamedSet(  # arXiv 1905.10498; of the eight numbers of a label the first is the class
        "idx",
        "QMNIST/raw",
        [
            Part(split, f"qmnist-{split}-images-idx3-ubyte", f"qmnist-{split}-labels-idx2-int")
            for split in ("train", "test")
        ],
        _DIGITS,
        ["https://raw.githubusercontent.com/facebookresearch/qmnist/master/"],
        [
            Remote("qmnist-train-images-idx3-ubyte.gz", "ed72d4157d28c017586c42bc6afe6370"),
            Remote("qmnist-train-labels-idx2-int.gz", "0058f8dd561b90ffdd0f734c6a30e5e4"),
            Remote("qmnist-test-images-idx3-ubyte.gz", "1394631089c404de565df7b7aeaf9412"),
            Remote("qmnist-test-labels-idx2-int.gz", "5b5b05890a5e13444e108efe57b788aa"),
        ],
    ),
    "EMNIST-byclass": _emnist("byclass", _LETTERS),
    "EMNIST-bymerge": _emnist("bymerge", _MERGED),
    "EMNIST-balanced": _emnist("balanced", _MERGED),
    "EMNIST-letters": _emnist("letters", list(string.ascii_lowercase), first=1),
    "EMNIST-digits": _emnist("digits", _DIGITS),
    "EMNIST-mnist": _emnist("mnist", _DIGITS),
    "CIFAR10": _cifar(
        "cifar-10-batches-bin",
        Remote("cifar-10-binary.tar.gz", "c32a1d4ab5d03f1284b67883e8d87530"),
        [f"data_batch_{number}.bin" for number in range(1, 6)],
        "test_batch.bin",
        _CIFAR10,
    ),
    "CIFAR100": _cifar(
        "cifar-100-binary",
        Remote("cifar-100-binary.tar.gz", "03b5dce01913d631647c71ecec9e9cb8"),
        ["train.bin"],
        "test.bin",
        _CIFAR100,
        label_bytes=2,  # the coarse label, the fine one
    ),
    "SVHN": NamedSet(  # the label 10 is the digit 0
        "svhn",
        "",
        [Part("train", "train_32x32.mat"), Part("test", "test_32x32.mat")],
        _DIGITS,
        ["http://ufldl.stanford.edu/housenumbers/"],
        [
            Remote("train_32x32.mat", "e26dedcc434d2e4c54c9b2d4a06d8373"),
            Remote("test_32x32.mat", "eb5a983be6a315427106f1b164d9cef3"),
        ],
    ),
    "STL10": NamedSet(  # the labelled pictures
        "stl10",
        "stl10_binary",
        [Part("train", "train_X.bin", "train_y.bin"), Part("test", "test_X.bin", "test_y.bin")],
        _STL10,
        ["http://ai.stanford.edu/~acoates/stl10/"],
        [
            Remote(
                "stl10_binary.tar.gz",
                "91f7769df0f17e558f3565bffb0c7dfb",
                {
                    f"stl10_binary/{file}": file
                    for file in ("train_X.bin", "train_y.bin", "test_X.bin", "test_y.bin")
                },
            )
        ],
        first=1,
    ),
}


def named(dataset: str) -> NamedSet:
    """The data set of a name.

    Raises:
        ConfigError: there is none; the message lists those there are.
    """
    if dataset not in SETS:
        close = difflib.get_close_matches(
            dataset.casefold(), {name.casefold(): name for name in SETS}, 1, 0.5
        )
        meant = next((f"did you mean {name}? " for name in SETS if name.casefold() in close), "")
        raise ConfigError(
            f"no data set is called {dataset!r}",
            where="data.dataset",
            fix=f"{meant}choose one of: {', '.join(SETS)}",
        )
    return SETS[dataset]
