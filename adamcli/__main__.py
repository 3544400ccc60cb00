"""`python -m adamcli`."""

from adamcli.cli import main

if __name__ == "__main__":
    main()
