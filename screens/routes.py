"""Which page or dialog answers which message. Only here are they imported: none of them knows another one."""

from __future__ import annotations

from typing import Any

from screens import messages as ask
from screens.audit.benchmarks import BenchmarksScreen
from screens.audit.compare import CompareScreen
from screens.audit.drill import DrillScreen
from screens.audit.residual import LeftScreen
from screens.jobs.job import JobScreen
from screens.jobs.job_list import JobListScreen
from screens.jobs.quit import QuitDialog
from screens.merge.make_partner import MakePartnerScreen
from screens.merge.merge import MergeScreen
from screens.merge.partners import PartnersScreen
from screens.merge.search import SearchScreen
from screens.models.add import AddDialog
from screens.models.model import ModelScreen
from screens.models.pull import PullDialog
from screens.models.remove import RemoveDialog
from screens.models.tags import TagsDialog
from screens.reports.export import ExportDialog
from screens.reports.reports import ReportsScreen
from screens.scan.result import ResultScreen
from screens.scan.scan import ScanScreen
from screens.scan.writer_scan import WriterScanScreen
from screens.settings import SettingsScreen
from screens.widgets.dialog import Dialog
from screens.widgets.help import HelpScreen
from screens.widgets.page import Page
from screens.words import writes


def page_for(message: ask.Open) -> Page | Dialog[Any]:
    """A new page or dialog that shows what was asked for.

    Raises:
        LookupError: nothing shows such a message.
    """
    match message:
        case ask.OpenModel():
            return ModelScreen(message.entry)
        case ask.OpenScanForm():
            return (WriterScanScreen if writes(message.entry.profile.task) else ScanScreen)(message.entry)
        case ask.OpenPartners():
            return PartnersScreen(message.entry)
        case ask.OpenMakePartners():
            return MakePartnerScreen(message.entry)
        case ask.OpenMergeForm():
            return MergeScreen(message.entry, message.partners)
        case ask.OpenResult():
            return ResultScreen(message.scan)
        case ask.OpenComparison():
            return CompareScreen(audit=message.audit, before=message.before, after=message.after)
        case ask.OpenRows():
            return DrillScreen(message.before, message.after, message.family, message.variant, message.target)
        case ask.OpenResidual():
            return LeftScreen(message.audit)
        case ask.OpenBenchmarks():
            return BenchmarksScreen(message.before, message.after, message.changes, message.audit)
        case ask.OpenJob():
            return JobScreen(message.job)
        case ask.OpenSearch():
            return SearchScreen(message.job, message.progress)
        case ask.OpenJobs():
            return JobListScreen()
        case ask.OpenReports():
            return ReportsScreen()
        case ask.OpenSettings():
            return SettingsScreen()
        case ask.OpenExport():
            return ExportDialog(message.record, message.kind)
        case ask.OpenAdd():
            return AddDialog()
        case ask.OpenPull():
            return PullDialog()
        case ask.OpenRemove():
            return RemoveDialog(message.entry)
        case ask.OpenTags():
            return TagsDialog(message.entry)
        case ask.OpenHelp():
            return HelpScreen(message.screen, message.focused)
        case ask.OpenQuit():
            return QuitDialog(message.jobs)
    raise LookupError(f"nothing shows {type(message).__name__}")
