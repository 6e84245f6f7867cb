"""Fail when a Python file or function has outgrown one reading: 500 lines a file, 100 a function."""

import argparse
import ast
import sys
from collections.abc import Iterator
from pathlib import Path

MAX_FILE_LINES = 500
MAX_FUNCTION_LINES = 100


def oversized(path: Path) -> Iterator[str]:
    """Yield one sentence for the file and each function of it that is too long."""
    text = path.read_text(encoding="utf-8")
    n_lines = text.count("\n")
    if n_lines > MAX_FILE_LINES:
        yield f"{path}: {n_lines} lines, at most {MAX_FILE_LINES}"
    for node in ast.walk(ast.parse(text, str(path))):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and node.end_lineno is not None:
            length = node.end_lineno - node.lineno + 1
            if length > MAX_FUNCTION_LINES:
                yield f"{path}:{node.lineno}: {node.name} has {length} lines, at most {MAX_FUNCTION_LINES}"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folders", type=Path, nargs="+")
    folders: list[Path] = parser.parse_args().folders
    files = sorted(path for folder in folders for path in folder.rglob("*.py"))
    problems = [problem for path in files for problem in oversized(path)]
    for problem in problems:
        print(problem)
    print(f"sizes: {len(files)} files, {len(problems)} too large")
    sys.exit(1 if problems else 0)


if __name__ == "__main__":
    main()
