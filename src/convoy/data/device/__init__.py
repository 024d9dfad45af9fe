"""Augmentation on the device, for whole batches, in plain torch; and a store that lives there.

Parameters are drawn on the CPU, by the same batch forms and the same keys as without a device; here only the
pixels are computed. Torch resamples in floating point where OpenCV has its own arithmetic, so the pixels are
those of the CPU forms up to rounding, and a model is rebuilt bit for bit on the kind of device that trained
it.

Everything runs on torch's CPU device, too: that is how it is tested where there is no other.
"""
