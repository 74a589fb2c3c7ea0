"""`workbench` and `python -m workbench`."""


def main() -> None:
    """Runs the command line."""
    from workbench.cli import workbench

    workbench(prog_name="workbench")


if __name__ == "__main__":
    main()
