"""The part of a script that reads images, and the one that changes them at random."""

from workbench.datasets.deep import Levels
from workbench.experiment.sections import AugmentationSpec, DataSpec
from workbench.export.script_code import block, inside, number

_MOVES = ("rotation", "height_shift", "width_shift", "shear", "zoom")
_FLIPS = ("horizontal_flip", "vertical_flip")


def reading(data: DataSpec, npz: bool, levels: Levels | None = None) -> str:
    """Functions `as_array` and `load_images`; images are read as the run read them.

    Args:
        levels: the values that became 0 and 255 of images with 16 bits a channel.
    """
    parts = [_as_array(data)]
    parts += [_sixteen_bits(levels)] if levels and not npz else []
    parts += [_from_npz() if npz else _from_files(data, levels)]
    return "\n\n\n".join(parts)


def changing(spec: AugmentationSpec) -> str:
    """The function `change`: one image in a new look; only the changes that are on."""
    lines = [
        "def change(image: np.ndarray) -> np.ndarray:",
        '    """A training image in a new look, uint8 (height, width, channels)."""',
    ]
    moves = any(getattr(spec, name) for name in (*_MOVES, *_FLIPS))
    if spec.brightness or spec.contrast:
        lines += [inside(_levels(spec, "image =" if moves else "return"))]
    lines += [inside(_moves(spec))] if moves else []
    return "\n".join(lines)


def _as_array(data: DataSpec) -> str:
    mode = "RGB" if data.channels == 3 else "L"
    head = f'''
        def as_array(image: Image.Image) -> np.ndarray:
            """A picture as the network takes it: uint8, (HEIGHT, WIDTH, CHANNELS)."""
            image = image.convert("RGB"){"" if mode == "RGB" else '.convert("L")'}
        '''
    resize = {
        "stretch": """
            # Stretched to the size; its proportions are not kept.
            image = image.resize((WIDTH, HEIGHT), Image.Resampling.BILINEAR)
            """,
        "crop": """
            # The largest middle part of the right proportions is kept.
            scale = min(image.width / WIDTH, image.height / HEIGHT)
            left = max(0.0, (image.width - WIDTH * scale) / 2)
            top = max(0.0, (image.height - HEIGHT * scale) / 2)
            box = (left, top, image.width - left, image.height - top)
            if image.size != (WIDTH, HEIGHT):
                image = image.resize((WIDTH, HEIGHT), Image.Resampling.BILINEAR, box)
            """,
        "pad": f"""
            # The whole picture is kept, with black around it.
            scale = max(image.width / WIDTH, image.height / HEIGHT)
            width = max(1, round(image.width / scale))
            height = max(1, round(image.height / scale))
            canvas = Image.new("{mode}", (WIDTH, HEIGHT))
            inner = image.resize((width, height), Image.Resampling.BILINEAR)
            canvas.paste(inner, ((WIDTH - width) // 2, (HEIGHT - height) // 2))
            image = canvas
            """,
    }[data.resize]
    end = "return np.asarray(image, np.uint8).reshape(HEIGHT, WIDTH, CHANNELS)"
    return "\n".join([block(head), inside(block(resize)), inside(end)])


def _sixteen_bits(levels: Levels) -> str:
    return block(f'''
        def all_bits(path: Path, image: Image.Image) -> Image.Image | None:
            """A picture of 16 bits a channel with 8; None where it has 8 bits already."""
            if image.mode.startswith("I"):
                values = np.asarray(image).astype(np.int64)
            else:
                with Image.open(path) as lower:
                    tile = lower.tile[0]
                    raw = tile.args if isinstance(tile.args, str) else tile.args[0]
                    if raw not in ("RGB;16B", "RGB;16L"):
                        return None
                    # Pillow reads upper bytes alone; asked for the other order, the lower ones.
                    other = raw[:-1] + ("L" if raw[-1] == "B" else "B")
                    args = other if isinstance(tile.args, str) else (other, *tile.args[1:])
                    lower.tile = [tile._replace(args=args)]
                    lower = ImageOps.exif_transpose(lower)
                values = np.asarray(image).astype(np.int64) * 256 + np.asarray(lower)
            if (values % 257 == 0).all():  # 8 bits, stored in 16
                return Image.fromarray((values // 257).astype(np.uint8))
            low, high = {levels.low}, {max(levels.high, levels.low + 1)}  # as the run measured them
            scaled = 2 * 255 * (values.clip(low, high) - low) + high - low
            return Image.fromarray((scaled // (2 * (high - low))).astype(np.uint8))
        ''')


def _from_files(data: DataSpec, levels: Levels | None) -> str:
    draft = """
                # Decoded at a part of its size where that is enough: quicker.
                sideways = file.getexif().get(0x0112, 1) >= 5
                file.draft(None, (HEIGHT, WIDTH) if sideways else (WIDTH, HEIGHT))
    """
    load = '''
        def load_image(path: Path) -> np.ndarray:
            """An image file as an array; what is transparent becomes white."""
            with Image.open(path) as file:
        '''
    plain = """
                if image.mode.startswith("I"):  # 16 bits: 65535 / 257 is 255
                    values = (np.asarray(image).astype(np.uint32) + 128) // 257
                    image = Image.fromarray(values.astype(np.uint8))
    """
    measured = """
                image = all_bits(path, image) or image
    """
    rest = """
                image = ImageOps.exif_transpose(file)  # as the camera was held
    """
    end = """
                if image.has_transparency_data:
                    layer = image.convert("RGBA")
                    white = Image.new("RGBA", layer.size, "white")
                    image = Image.alpha_composite(white, layer)
                return as_array(image)
    """
    whole = '''
        def load_images(folder: Path, paths: list[str]) -> np.ndarray:
            """All images, uint8 (n, HEIGHT, WIDTH, CHANNELS); `paths` start at the folder."""
            return np.stack([load_image(folder / path) for path in paths])
        '''
    parts = [block(load)]
    parts += [inside(block(draft), 2)] if data.decode == "fast" else []
    parts += [inside(block(rest), 2)]
    parts += [inside(block(measured if levels else plain), 2)]
    parts += [inside(block(end), 2)]
    return "\n".join(parts) + "\n\n\n" + block(whole)


def _from_npz() -> str:
    return block('''
        def load_images(file: Path, paths: list[str]) -> np.ndarray:
            """All images, uint8 (n, HEIGHT, WIDTH, CHANNELS); a path is train/00012."""
            with np.load(file) as arrays:
                parts = {"train": arrays["x_train"], "test": arrays["x_test"]}
            loaded = []
            for path in paths:
                part, number = path.split("/")
                pixels = parts[part][int(number)]
                grey = pixels.ndim == 3 and pixels.shape[2] == 1
                image = Image.fromarray(pixels[:, :, 0] if grey else pixels)
                loaded.append(as_array(image))
            return np.stack(loaded)
        ''')


def _levels(spec: AugmentationSpec, then: str) -> str:
    lines = ["levels = image.astype(np.float64)"]
    if spec.brightness:
        lines += [f"levels *= RANDOM.uniform({_around_one(spec.brightness)})"]
    if spec.contrast:
        lines += [
            "mean = levels.mean()",
            f"levels = mean + (levels - mean) * RANDOM.uniform({_around_one(spec.contrast)})",
        ]
    return "\n".join([*lines, f"{then} levels.round().clip(0, 255).astype(np.uint8)"])


def _moves(spec: AugmentationSpec) -> str:
    """One affine transform; `moved` and `shift` tell where each new pixel comes from."""
    lines = ["height, width, channels = image.shape"]
    lines += ["# Where a pixel of the new image comes from, as (row, column) from the middle:"]
    lines += ["# moved @ place + shift. All changes together move the image only once."]
    lines += ["moved, shift = np.eye(2), np.zeros(2)"]
    if spec.rotation:
        lines += [
            f"turn = math.radians(RANDOM.uniform({_around_zero(spec.rotation)}))",
            "cos, sin = math.cos(turn), math.sin(turn)",
            "moved = moved @ np.array([[cos, -sin], [sin, cos]])",
        ]
    if spec.height_shift or spec.width_shift:
        down, right = _around_zero(spec.height_shift), _around_zero(spec.width_shift)
        lines += [
            f"down = RANDOM.uniform({down}) * height",
            f"right = RANDOM.uniform({right}) * width",
            "shift = moved @ np.array([down, right])",
        ]
    if spec.shear:
        lines += [
            f"slant = math.radians(RANDOM.uniform({_around_zero(spec.shear)}))",
            "moved = moved @ np.array([[1, -math.sin(slant)], [0, math.cos(slant)]])",
        ]
    if spec.zoom:
        lines += [f"moved = moved * RANDOM.uniform({_around_one(spec.zoom)}, 2)"]
    for on, signs in ((spec.vertical_flip, "[-1, 1]"), (spec.horizontal_flip, "[1, -1]")):
        if on:
            lines += ["if RANDOM.random() < 0.5:", f"    moved = moved * np.array({signs})"]
    return "\n".join([*lines, _resample(spec)])


def _resample(spec: AugmentationSpec) -> str:
    nearest = """
        # What appears behind a moved image is its edge, repeated.
        edge = max(height, width)
        image = np.pad(image, ((edge, edge), (edge, edge), (0, 0)), mode="edge")
    """
    edge = "edge" if spec.fill == "nearest" else ""
    from_edge = f" + {edge}" if edge else ""
    rest = f"""
        middle = np.array([height / 2, width / 2])
        first = middle + shift - moved @ middle{from_edge}
        (yy, yx), (xy, xx) = moved
        picture = Image.fromarray(image if channels == 3 else image[:, :, 0])
        picture = picture.transform(
            (width, height),
            Image.Transform.AFFINE,
            (xx, xy, first[1], yx, yy, first[0]),  # Pillow counts (column, row)
            Image.Resampling.BILINEAR,
        )
        return np.asarray(picture).reshape(height, width, channels)
    """
    return block(nearest) + "\n" + block(rest) if edge else block(rest)


def _around_zero(reach: float) -> str:
    return f"{number(-reach)}, {number(reach)}" if reach else "0, 0"


def _around_one(reach: float) -> str:
    return f"{number(round(1 - reach, 9))}, {number(round(1 + reach, 9))}"
