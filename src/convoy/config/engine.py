"""How a training is run, beside what is trained: keys of section `train` that change its speed and its place.

Of these, `device`, `precision`, `memory_format`, `compile`, `threads` and `distributed` change the last bits
of the weights; `loader` and `checkpoint_minutes` change none.
"""

from typing import Annotated, Literal

from pydantic import Field, field_validator

from convoy.config._base import Section

Device = Literal["auto", "cpu", "gpu"]
Precision = Literal["auto", "fp32", "bf16", "fp16"]
MemoryFormat = Literal["auto", "contiguous", "channels_last"]
Compile = Literal["auto", "off", "on"]
Backend = Literal["auto", "gloo", "nccl"]
Minutes = Annotated[float, Field(ge=0.0)]

# Settings of section `train` that say where and how fast, not what: a training is the same one without them.
RESUME = "CONVOY_RESUME"  # a variable: what to do with an interrupted training of another environment
# JSON of a variable: device, precision, memory_format, compile of a training that is to be repeated
TRAIN_AS = "CONVOY_TRAIN_AS"
ENGINE = (
    "device", "precision", "memory_format", "compile", "deterministic", "threads", "distributed", "loader",
    "checkpoint_minutes",
)  # fmt: skip


class LoaderConfig(Section):
    """How batches are made beside the training. It changes the speed alone: the batches are the same."""

    workers: int | Literal["auto"] = Field(
        default="auto",
        description="threads that make batches; auto: all cores but one; 0: none beside training",
    )
    prefetch: int = Field(default=4, ge=1, le=1024, description="batches made ahead")

    @field_validator("workers", mode="before")
    @classmethod
    def _workers(cls, value: object) -> object:
        if value == "auto" or (isinstance(value, int) and not isinstance(value, bool) and value >= 0):
            return value
        raise ValueError("must be auto or a whole number of at least 0")


class DistributedConfig(Section):
    """Data-parallel training (DDP): `batch_size` is the whole batch, of which each process takes its rows.

    A node knows its place from the environment, as under torchrun: NODE_RANK (from 0), MASTER_ADDR and
    MASTER_PORT (of node 0). The nodes share the project's folder. Samples are mixed (mixup, cutmix) within
    each process's rows; on CPUs, batch normalisation takes its statistics from them, too.
    """

    processes: int = Field(default=1, ge=1, description="on each node; on GPUs, one each")
    nodes: int = Field(default=1, ge=1)
    backend: Backend = Field(default="auto", description="auto: nccl on GPUs, gloo on CPUs")

    @property
    def ranks(self) -> int:
        return self.processes * self.nodes
