"""A run named "probe" on a person's photos, trained in a few seconds."""

PROBE = (
    "train", "--data", "photos", "--preset", "linear-probe", "--base", "mobilenetv2-0.35",
    "--weights", "random", "--set", "data.image_size=[32, 32]", "--name", "probe",
)  # fmt: skip
