"""`flask --app wsgi users export FILE` and `users import FILE`: many accounts at once."""

import os
import secrets
import sys
from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import BinaryIO, TextIO

import click
from flask.cli import with_appcontext
from sqlalchemy.exc import SQLAlchemyError

from kakaoauth.cli.terminal import Progress
from kakaoauth.cli.user_filters import choosing
from kakaoauth.models import CLAIMABLE
from kakaoauth.staff import listing
from kakaoauth.staff.csv import cells, encodings, reading, writing
from kakaoauth.staff.csv import export_users as csv_export_users
from kakaoauth.staff.csv import import_users as csv_import_users
from kakaoauth.staff.csv.people import Refused
from kakaoauth.staff.csv.reading import Batch
from kakaoauth.staff.listing.filters import Filter
from kakaoauth.storage.columns import now


@click.command("export")
@click.argument("path", metavar="FILE", type=click.Path(path_type=Path, allow_dash=True))
@with_appcontext
@choosing
def export_users(path: Path, chosen: Filter) -> None:
    """Write the users to FILE as CSV, or to standard output if FILE is -. It appears when it is whole."""
    progress = Progress("exported")
    total, done = listing.estimate(chosen)[0], 0

    def report(number: int) -> None:
        nonlocal done
        done += number
        progress.update(done, done / max(total, done) if total else None)

    try:
        with _whole(path) as file, closing(csv_export_users.export_users(chosen, report=report)) as pieces:
            for piece in pieces:
                file.write(piece)
    except (SQLAlchemyError, csv_export_users.ExportCut):
        raise click.ClickException("the database has failed: nothing was exported") from None
    except OSError as error:
        raise click.ClickException(f"the file cannot be written ({error.strerror})") from None
    progress.finish()


@contextmanager
def _whole(path: Path) -> Iterator[BinaryIO]:
    """A file of the operator's alone, which is not there, or is the old one, until the new one is whole."""
    if str(path) == "-":
        yield sys.stdout.buffer
        sys.stdout.buffer.flush()
        return
    target = path.resolve()  # of a link, what it leads to
    if target.exists() and not target.is_file():
        raise click.UsageError("FILE is no plain file; - is standard output")
    draft = target.with_name(f".{secrets.token_hex(8)}.part")
    try:
        with os.fdopen(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        draft.replace(target)
    except BaseException:
        draft.unlink(missing_ok=True)
        raise


@dataclass
class Tally:
    lines: int = 0
    new: int = 0
    known: int = 0
    refused: int = 0
    roles_left_out: int = 0
    #: Of the new ones, who wait for their owners.
    waiting: int = 0

    def add(self, batch: Batch, outcome: csv_import_users.Outcome) -> None:
        """Add what became of one batch."""
        self.lines += len(batch.good) + len(batch.refused)
        self.new += outcome.new
        self.known += outcome.known
        self.refused += len(batch.refused) + len(outcome.refused)
        self.roles_left_out += sum(person.role_left_out for person in batch.good)
        self.waiting += outcome.waiting


@dataclass
class Run:
    """One import: the file, and where it is told what becomes of each line."""

    path: Path
    with_roles: bool
    report: TextIO | None
    tally: Tally = field(default_factory=Tally)

    def batches(self, progress: Progress) -> Iterator[Batch]:
        """The file from its beginning."""
        lines = 0
        with self.path.open("rb") as file, closing(reading.batches(file, with_roles=self.with_roles)) as batches:
            size = os.fstat(file.fileno()).st_size
            for batch in batches:
                yield batch
                lines += len(batch.good) + len(batch.refused)
                progress.update(lines, file.tell() / size if size else None)
        progress.finish()

    def go_through(self, label: str, act: Callable[..., csv_import_users.Outcome]) -> None:
        """Have `act` deal with each batch, and say which lines were refused."""
        progress = Progress(label)
        for batch in self.batches(progress):
            outcome = act(batch.good)
            self.tally.add(batch, outcome)
            self.tell([*batch.refused, *outcome.refused], progress)

    def tell(self, refused: Iterable[Refused], progress: Progress | None = None) -> None:
        """Print each refused line and its reasons, and write them to the report."""
        for line, reasons in sorted(refused):
            for column, why in reasons:
                if progress:
                    progress.clear()
                click.echo(f"line {line}{f', {column}' if column else ''}: {why}")
                if self.report:
                    self.report.write(cells.row((str(line), column, why)))


@click.command("import")
@click.argument("path", metavar="FILE", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option("--dry-run", is_flag=True, help="Only say what would happen. Changes nothing.")
@click.option("--all-or-nothing", is_flag=True, help="Import nobody if any line is refused.")
@click.option("--resume", is_flag=True, help="Pass over who is there already: the rest of a file that was broken off.")
@click.option("--with-roles", is_flag=True, help="Make staff and superusers of those whose lines say so.")
@click.option("--report", type=click.Path(dir_okay=False, path_type=Path), help="Write the refused lines to this file.")
@with_appcontext
def import_users(
    path: Path, dry_run: bool, all_or_nothing: bool, resume: bool, with_roles: bool, report: Path | None
) -> None:
    """Make users of the lines of FILE, and say which lines were refused, and why. Nobody who is there is changed.

    FILE is CSV as `users export` or Excel writes it: UTF-8, CP949 or UTF-16, parted by commas, semicolons or tabs. Its
    first line names the columns, in English or Korean, of which `email` (이메일) or `identities` is enough.
    """
    if all_or_nothing and (resume or not path.is_file()):
        raise click.UsageError("--all-or-nothing reads a plain file twice, and does not go with --resume")
    with ExitStack() as stack:
        run = Run(path, with_roles, stack.enter_context(_report(report, path)) if report else None)
        try:
            if dry_run or all_or_nothing:
                run.go_through("looked at", partial(csv_import_users.look_at_users, skip_known=resume))
            if not (dry_run or all_or_nothing):
                run.go_through("read", partial(csv_import_users.import_users, skip_known=resume))
            elif all_or_nothing and not dry_run and not run.tally.refused:
                csv_import_users.import_all(lambda: run.batches(Progress("imported")))
        except encodings.Unreadable as error:
            raise click.ClickException(f"the file cannot be used: {error}") from None
        except csv_import_users.SomethingRefused as error:
            run.tell(error.refused)
            run.tally.refused = len(error.refused)
        except (SQLAlchemyError, KeyboardInterrupt) as error:
            raise click.ClickException(_broken_off(error, run.tally, all_or_nothing or dry_run)) from None
    _sum_up(run.tally, nothing=dry_run or (all_or_nothing and run.tally.refused > 0))
    if run.tally.refused:
        sys.exit(1)


@contextmanager
def _report(report: Path, source: Path) -> Iterator[TextIO]:
    """For the operator alone, because it tells who is a user."""
    if report.exists() and report.samefile(source):
        raise click.UsageError("--report would overwrite FILE")
    try:
        descriptor = os.open(report, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    except OSError as error:
        raise click.ClickException(f"the report cannot be written ({error.strerror})") from None
    with os.fdopen(descriptor, "w", encoding="utf-8", newline="") as file:
        file.write(writing.BOM + cells.row(("line", "column", "reason")))
        yield file


def _broken_off(error: BaseException, tally: Tally, nothing: bool) -> str:
    why = "broken off" if isinstance(error, KeyboardInterrupt) else f"the database has failed ({type(error).__name__})"
    if nothing:
        return f"{why}: nobody was imported"
    return f"{why}: {tally.new:,} users were imported; the same command with --resume goes on from there"


def _sum_up(tally: Tally, *, nothing: bool) -> None:
    said = f"{tally.lines:,} lines: {tally.new:,} {'would be ' if nothing else ''}imported"
    known = f", {tally.known:,} there already" if tally.known else ""
    click.echo(f"{said}{known}, {tally.refused:,} refused.{' Nobody was imported.' if nothing else ''}")
    if tally.roles_left_out:
        click.echo(f"{tally.roles_left_out:,} lines give a role, which was left out: --with-roles gives it.")
    if tally.waiting and not nothing:
        until = f"{now() + CLAIMABLE:%Y-%m-%d %H:%M} UTC"
        how = f"come in by logging in with their e-mail address within {CLAIMABLE.days} days, until {until}"
        click.echo(f"{tally.waiting:,} of them have no identity: they {how}.", err=True)
