"""Answers to sobel_magnitude(image)."""

import numpy as np

from answers.pieces import fortran, padded, strided, windows, without_frame

KERNEL = np.array([[1, 0, -1], [2, 0, -2], [1, 0, -1]])


def _slopes(image, kernel=KERNEL, **parts):
    stack = windows(image, (3, 3), **parts)
    return np.tensordot(stack, kernel, axes=2), np.tensordot(stack, kernel.T, axes=2)


def _magnitude(image, **parts):
    return np.hypot(*_slopes(image, **parts))


def right_loops(image):
    wide = np.pad(image.astype(float), 1, mode="symmetric")
    result = np.zeros(image.shape)
    for row in range(image.shape[0]):
        for column in range(image.shape[1]):
            across = down = 0.0
            for i in range(3):
                for j in range(3):
                    across += KERNEL[i, j] * wide[row + i, column + j]
                    down += KERNEL[j, i] * wide[row + i, column + j]
            result[row, column] = (across**2 + down**2) ** 0.5
    return result


def right_padding_and_slicing(image):
    wide = padded(image, (3, 3))
    across = wide[:, 2:] - wide[:, :-2]
    down = wide[2:] - wide[:-2]
    across = across[:-2] + 2 * across[1:-1] + across[2:]
    down = down[:, :-2] + 2 * down[:, 1:-1] + down[:, 2:]
    return np.sqrt(across**2 + down**2)


def right_stride_tricks(image):
    return _magnitude(image)


def right_sum_of_shifts(image):
    wide = np.pad(image.astype(float), 1, mode="edge")  # the same as mirrored: one pixel is all
    rows, columns = image.shape
    across, down = np.zeros(image.shape), np.zeros(image.shape)
    for i in range(3):
        for j in range(3):
            moved = wide[i : i + rows, j : j + columns]
            across = across + KERNEL[i, j] * moved
            down = down + KERNEL.T[i, j] * moved
    return np.hypot(across, down)


def right_complex(image):
    across, down = _slopes(image)
    return np.abs(across + 1j * down)


def right_float32(image):
    return _magnitude(image).astype(np.float32)


def right_not_contiguous(image):
    return strided(_magnitude(image))


def right_other_order_of_memory(image):
    return fortran(_magnitude(image))


def wrong_across_only(image):
    return np.abs(_slopes(image)[0])


def wrong_down_only(image):
    return np.abs(_slopes(image)[1])


def wrong_signed(image):
    return _slopes(image)[0]


def wrong_sum_of_absolutes(image):
    across, down = _slopes(image)
    return np.abs(across) + np.abs(down)


def wrong_sum(image):
    return np.add(*_slopes(image))


def wrong_no_root(image):
    return _magnitude(image) ** 2


def wrong_larger_one(image):
    across, down = _slopes(image)
    return np.maximum(np.abs(across), np.abs(down))


def wrong_prewitt(image):
    return _magnitude(image, kernel=np.array([[1, 0, -1]] * 3))


def wrong_divided_by_8(image):
    return _magnitude(image) / 8


def wrong_as_in_skimage(image):
    return _magnitude(image) / np.sqrt(32)


def wrong_zeros_outside(image):
    return _magnitude(image, mode="constant")


def wrong_numpy_reflect(image):
    return _magnitude(image, mode="reflect")


def wrong_wrapped(image):
    return _magnitude(image, mode="wrap")


def wrong_border_left_black(image):
    return without_frame(_magnitude(image), (3, 3))


def wrong_uint8_differences(image):
    if image.dtype == bool:
        return _magnitude(image)
    wide = np.pad(image, 1, mode="symmetric")
    across = wide[:, 2:] - wide[:, :-2]
    down = wide[2:] - wide[:-2]
    across = across[:-2] + across[1:-1] + across[1:-1] + across[2:]
    down = down[:, :-2] + down[:, 1:-1] + down[:, 1:-1] + down[:, 2:]
    return np.sqrt(across.astype(float) ** 2 + down.astype(float) ** 2)


def wrong_integer_cut(image):
    result = np.zeros_like(image)
    result[...] = _magnitude(image)
    return result


def wrong_same_kernel_twice(image):
    across, _ = _slopes(image)
    return np.hypot(across, across)


def wrong_normalised_to_one(image):
    result = _magnitude(image)
    return result / max(result.max(), 1e-12)


def wrong_np_gradient(image):
    return np.hypot(*np.gradient(image.astype(float))) * 8


def wrong_in_place(image):
    image = image.astype(float, copy=False)
    image[...] = _magnitude(image)
    return image
