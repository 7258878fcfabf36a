"""Answers to the functions of the notebook on images as arrays."""

# ruff: noqa: ARG001, PERF401, PLR0913, PLR0917, RET505 - as students write it

import numpy as np


def right_crop_slices(image, top, left, height, width):
    if top < 0 or left < 0 or top + height > image.shape[0] or left + width > image.shape[1]:
        raise ValueError("outside")
    if height <= 0 or width <= 0:
        raise ValueError("empty")
    return image[top : top + height, left : left + width]


def right_crop_by_its_shape(image, top, left, height, width):
    part = image[max(top, 0) : max(top + height, 0), max(left, 0) : max(left + width, 0)]
    if part.shape[:2] != (height, width) or part.size == 0:
        raise ValueError(f"the rectangle does not lie in an image of shape {image.shape}")
    return part.copy()


def right_crop_take(image, top, left, height, width):
    rows, columns = range(top, top + height), range(left, left + width)
    inside = all(0 <= row < image.shape[0] for row in rows) and all(
        0 <= column < image.shape[1] for column in columns
    )
    if not (inside and rows and columns):
        raise ValueError
    return np.take(np.take(image, list(rows), axis=0), list(columns), axis=1)


def wrong_crop_no_test(image, top, left, height, width):
    return image[top : top + height, left : left + width]


def wrong_crop_stop_instead_of_size(image, top, left, height, width):
    return image[top:height, left:width]


def wrong_crop_returns_none_outside(image, top, left, height, width):
    if top < 0 or left < 0 or top + height > image.shape[0] or left + width > image.shape[1]:
        return None
    return image[top : top + height, left : left + width]


def wrong_crop_index_error(image, top, left, height, width):
    if top < 0 or left < 0 or top + height > image.shape[0] or left + width > image.shape[1]:
        raise IndexError("outside")
    return image[top : top + height, left : left + width]


def wrong_crop_grey_alone(image, top, left, height, width):
    rows, columns = image.shape
    return reject(top, left, height, width, rows, columns, image)


def reject(top, left, height, width, rows, columns, image):
    if top < 0 or left < 0 or height < 1 or width < 1 or top + height > rows or left + width > columns:
        raise ValueError
    return image[top : top + height, left : left + width]


def wrong_crop_edge_refused(image, top, left, height, width):
    return reject(top, left, height + 1, width + 1, *image.shape[:2], image)[:-1, :-1]


def wrong_crop_blackens_the_rest(image, top, left, height, width):
    result = np.zeros_like(image)
    result[top : top + height, left : left + width] = image[top : top + height, left : left + width]
    return result


def wrong_crop_altered(image, top, left, height, width):
    part = reject(top, left, height, width, *image.shape[:2], image).copy()
    image[top : top + height, left : left + width] = 0
    return part


def wrong_crop_first_channel(image, top, left, height, width):
    part = reject(top, left, height, width, *image.shape[:2], image)
    return part[..., 0] if image.ndim == 3 else part


def right_flip_slices(image, direction):
    if direction == "left-right":
        return image[:, ::-1]
    elif direction == "up-down":
        return image[::-1]
    raise ValueError(direction)


def right_flip_dictionary(image, direction):
    axes = {"up-down": 0, "left-right": 1}
    if direction not in axes:
        raise ValueError(f"{direction} is none of {list(axes)}")
    return np.flip(image, axes[direction])


def right_flip_loop(image, direction):
    result = np.empty_like(image)
    if direction not in {"left-right", "up-down"}:
        raise ValueError("?")
    for row in range(image.shape[0]):
        for column in range(image.shape[1]):
            if direction == "up-down":
                result[row, column] = image[image.shape[0] - 1 - row, column]
            else:
                result[row, column] = image[row, image.shape[1] - 1 - column]
    return result


def wrong_flip_transposed(image, direction):
    return image.swapaxes(0, 1)


def wrong_flip_else(image, direction):
    return image[:, ::-1] if direction == "left-right" else image[::-1]


def wrong_flip_key_error(image, direction):
    return np.flip(image, {"up-down": 0, "left-right": 1}[direction])


def wrong_flip_all_axes(image, direction):
    return np.flip(image)


def wrong_flip_last_axis(image, direction):
    if direction == "left-right":
        return image[..., ::-1]
    if direction == "up-down":
        return image[::-1]
    raise ValueError


def wrong_flip_rolled(image, direction):
    return np.roll(image, image.shape[0] // 2, axis=0)


def wrong_flip_nothing_back(image, direction):
    image[...] = image[::-1].copy()


def wrong_flip_negative(image, direction):
    return image.max() - image[:, ::-1]


def right_subsample_slices(image, step):
    return image[::step, ::step] if image.ndim == 2 else image[::step, ::step, ::step]


def right_subsample_take(image, step):
    for axis, size in enumerate(image.shape):
        image = image.take(range(0, size, step), axis=axis)
    return image


def right_subsample_grid(image, step):
    return image[np.ix_(*[np.arange(0, n, step) for n in image.shape])]


def right_subsample_masks(image, step):
    for axis in range(image.ndim):
        keep = [number % step == 0 for number in range(image.shape[axis])]
        image = np.compress(keep, image, axis=axis)
    return image.astype(float)


def wrong_subsample_rows_alone(image, step):
    return image[::step]


def wrong_subsample_columns_alone(image, step):
    return image[..., ::step]


def wrong_subsample_stack_slices_kept(image, step):
    return image[..., ::step, ::step]


def wrong_subsample_begins_in_the_middle(image, step):
    return image[tuple(slice(step // 2, None, step) for _ in image.shape)]


def wrong_subsample_rest_dropped(image, step):
    return image[tuple(slice(0, n - n % step, step) for n in image.shape)]


def wrong_subsample_step_plus_one(image, step):
    return image[tuple(slice(None, None, step + 1) for _ in image.shape)]


def wrong_subsample_flattened(image, step):
    return image.ravel()[::step]


def wrong_subsample_repeated_back(image, step):
    small = image[tuple(slice(None, None, step) for _ in image.shape)]
    return np.kron(small, np.ones([step] * image.ndim))


def wrong_subsample_two(image, step):
    return image[tuple(slice(None, None, 2) for _ in image.shape)]


def wrong_subsample_blackens_the_input(image, step):
    keep = tuple(slice(None, None, step) for _ in image.shape)
    result = image[keep].copy()
    image[keep] = 0
    return result


def right_stretch_clip(image, low, high):
    dark, bright = np.percentile(image, (low, high))
    if dark == bright:
        return np.zeros_like(image, dtype=float)
    return np.clip((image - dark) / (bright - dark), 0.0, 1.0)


def right_stretch_interp(image, low, high):
    a, b = np.percentile(image, low), np.percentile(image, high)
    return np.interp(image, [a, b], [0, 1]) if b > a else image * 0.0


def right_stretch_quantile_float32(image, low, high):
    dark = np.quantile(image, low / 100)
    bright = np.quantile(image, high / 100)
    result = np.zeros(image.shape, dtype="float32")
    if bright > dark:
        result[...] = (image.astype(float) - dark) / (bright - dark)
        result[result < 0] = 0
        result[result > 1] = 1
    return result


def right_stretch_minimum_maximum(image, low, high):
    dark, bright = np.percentile(image.ravel().astype(float), [low, high])
    width = bright - dark
    if not width:
        width = np.inf
    return np.minimum(np.maximum(image.astype(float) - dark, 0) / width, 1)


def wrong_stretch_flat_is_nan(image, low, high):
    dark, bright = np.percentile(image, [low, high])
    return np.clip((image - dark) / (bright - dark), 0, 1)


def wrong_stretch_flat_is_one(image, low, high):
    dark, bright = np.percentile(image, [low, high])
    return np.ones(image.shape) if dark == bright else np.clip((image - dark) / (bright - dark), 0, 1)


def wrong_stretch_rows(image, low, high):
    dark = np.percentile(image, low, axis=-1, keepdims=True)
    bright = np.percentile(image, high, axis=-1, keepdims=True)
    return np.clip((image - dark) / (bright - dark), 0, 1)


def wrong_stretch_low_alone(image, low, high):
    dark = np.percentile(image, low)
    return np.clip((image - dark) / max(image.max() - dark, 1e-9), 0, 1)


def wrong_stretch_symmetric(image, low, high):
    dark, bright = np.percentile(image, [low, 100 - low])
    return np.clip((image - dark) / max(bright - dark, 1e-9), 0, 1)


def wrong_stretch_same_dtype(image, low, high):
    return right_stretch_clip(image, low, high).astype(image.dtype)


def wrong_stretch_byte(image, low, high):
    return (right_stretch_clip(image, low, high) * 255).astype(np.uint8)


def wrong_stretch_in_place(image, low, high):
    result = right_stretch_clip(image, low, high)
    image[...] = result
    return result


def wrong_stretch_percentiles_swapped(image, low, high):
    bright, dark = np.percentile(image, [low, high])
    return np.clip((image - dark) / (bright - dark or 1), 0, 1)


def wrong_stretch_mean_and_deviation(image, low, high):
    return (image - image.mean()) / (image.std() or 1)


def wrong_stretch_part_of_the_range(image, low, high):
    span = float(image.max()) - float(image.min())
    dark, bright = image.min() + span * low / 100, image.min() + span * high / 100
    return np.clip((image - dark) / (bright - dark or 1), 0, 1)


def right_project_dictionary(stack, axis, method):
    axes = {"Z": 0, "Y": 1, "X": 2}
    functions = {"max": np.max, "min": np.min, "mean": np.mean}
    if axis not in axes or method not in functions:
        raise ValueError
    return functions[method](stack, axis=axes[axis])


def right_project_index(stack, axis, method):
    number = ["Z", "Y", "X"].index(axis)
    if method == "max":
        return stack.max(number)
    if method == "min":
        return stack.min(number)
    if method == "mean":
        return stack.astype(float).sum(number) / stack.shape[number]
    raise ValueError(f"unknown method {method}")


def right_project_loop(stack, axis, method):
    slices = [plane.astype(float) for plane in np.moveaxis(stack, ["Z", "Y", "X"].index(axis), 0)]
    result = slices[0].copy()
    for plane in slices[1:]:
        if method == "max":
            result = np.maximum(result, plane)
        elif method == "min":
            result = np.minimum(result, plane)
        elif method == "mean":
            result = result + plane
        else:
            raise ValueError
    return result / len(slices) if method == "mean" else result


def wrong_project_no_words(stack, axis, method):
    number = {"Z": 0, "Y": 1, "X": 2}.get(axis, 0)
    return {"max": stack.max, "min": stack.min}.get(method, stack.mean)(number)


def wrong_project_key_error(stack, axis, method):
    return getattr(stack, method)({"Z": 0, "Y": 1, "X": 2}[axis])


def wrong_project_transposed(stack, axis, method):
    return right_project_dictionary(stack, axis, method).T


def wrong_project_mean_cut(stack, axis, method):
    result = right_project_dictionary(stack, axis, method)
    return result.astype(stack.dtype)


def wrong_project_uint8_sum(stack, axis, method):
    number = ["Z", "Y", "X"].index(axis)
    if method != "mean":
        return right_project_dictionary(stack, axis, method)
    return stack.sum(number, dtype=stack.dtype) / stack.shape[number]


def wrong_project_number(stack, axis, method):
    return getattr(np, method)(stack)


def wrong_project_divided_by_slices(stack, axis, method):
    number = ["Z", "Y", "X"].index(axis)
    if method != "mean":
        return right_project_dictionary(stack, axis, method)
    return stack.astype(float).sum(number) / len(stack)


def wrong_project_min_is_max(stack, axis, method):
    return right_project_dictionary(stack, axis, {"min": "max"}.get(method, method))


def wrong_project_axis_kept(stack, axis, method):
    number = ["Z", "Y", "X"].index(axis)
    return getattr(stack, method)(number, keepdims=True)


def right_side_view_repeat(stack, voxel_size):
    z, _y, x = voxel_size
    return stack.max(axis=1).repeat(max(int(z / x + 0.5), 1), axis=0)


def right_side_view_loop(stack, voxel_size):
    view = np.max(stack, axis=1)
    times = max(1, int(voxel_size[0] / voxel_size[2] + 0.5))
    rows = []
    for row in view:
        for _ in range(times):
            rows.append(row)
    return np.array(rows)


def right_side_view_kron(stack, voxel_size):
    times = int(voxel_size[0] / voxel_size[2] + 0.5) or 1
    return np.kron(stack.max(axis=1).astype(float), np.ones((times, 1)))


def right_side_view_index(stack, voxel_size):
    times = max(1, int(np.floor(voxel_size[0] / voxel_size[2] + 0.5)))
    view = stack.max(1)
    return view[np.arange(len(view) * times) // times]


def wrong_side_view_flat(stack, voxel_size):
    return stack.max(axis=1)


def wrong_side_view_cut(stack, voxel_size):
    return stack.max(axis=1).repeat(max(int(voxel_size[0] / voxel_size[2]), 1), axis=0)


def wrong_side_view_up(stack, voxel_size):
    return stack.max(axis=1).repeat(int(np.ceil(voxel_size[0] / voxel_size[2])), axis=0)


def wrong_side_view_vanishes(stack, voxel_size):
    return stack.max(axis=1).repeat(int(voxel_size[0] / voxel_size[2] + 0.5), axis=0)


def wrong_side_view_by_y(stack, voxel_size):
    return stack.max(axis=1).repeat(max(int(voxel_size[0] / voxel_size[1] + 0.5), 1), axis=0)


def wrong_side_view_inverted(stack, voxel_size):
    return stack.max(axis=1).repeat(max(int(voxel_size[2] / voxel_size[0] + 0.5), 1), axis=0)


def wrong_side_view_columns(stack, voxel_size):
    return stack.max(axis=1).repeat(max(int(voxel_size[0] / voxel_size[2] + 0.5), 1), axis=1)


def wrong_side_view_stretched_stack(stack, voxel_size):
    return stack.repeat(max(int(voxel_size[0] / voxel_size[2] + 0.5), 1), axis=0)


def wrong_side_view_rows_added(stack, voxel_size):
    return stack.max(axis=1).repeat(1 + max(int(voxel_size[0] / voxel_size[2] + 0.5), 1), axis=0)


def wrong_side_view_gaps(stack, voxel_size):
    times = max(int(voxel_size[0] / voxel_size[2] + 0.5), 1)
    view = np.zeros((len(stack) * times, stack.shape[2]))
    view[::times] = stack.max(axis=1)
    return view


def right_volume_count(mask, voxel_size):
    return np.count_nonzero(mask) * voxel_size[0] * voxel_size[1] * voxel_size[2]


def right_volume_bool_sum(mask, voxel_size):
    z, y, x = voxel_size
    return mask.astype(bool).sum() * z * y * x


def right_volume_loop(mask, voxel_size):
    count = 0
    for value in mask.ravel():
        if value:
            count += 1
    side = 1.0
    for length in voxel_size:
        side *= length
    return count * side


def right_volume_where(mask, voxel_size):
    return float(len(np.argwhere(mask != 0)) * np.prod(voxel_size))


def wrong_volume_sum_of_values(mask, voxel_size):
    return mask.sum() * np.prod(voxel_size)


def wrong_volume_two_sides(mask, voxel_size):
    return np.count_nonzero(mask) * voxel_size[0] * voxel_size[2]


def wrong_volume_mean_side(mask, voxel_size):
    return np.count_nonzero(mask) * np.mean(voxel_size) ** 3


def wrong_volume_part(mask, voxel_size):
    return np.mean(mask != 0)


def wrong_volume_divided(mask, voxel_size):
    return np.count_nonzero(mask) / np.prod(voxel_size)


def wrong_volume_one_slice(mask, voxel_size):
    return np.count_nonzero(mask[0]) * np.prod(voxel_size)


def wrong_volume_equal_to_one(mask, voxel_size):
    return np.sum(mask == 1) * np.prod(voxel_size)


def wrong_volume_whole_numbers(mask, voxel_size):
    return int(np.count_nonzero(mask) * np.prod(voxel_size))


def wrong_volume_largest_label(mask, voxel_size):
    return mask.max() * np.prod(voxel_size)


def wrong_volume_sides_cut(mask, voxel_size):
    return np.count_nonzero(mask) * np.prod(np.array(voxel_size, dtype=int))
