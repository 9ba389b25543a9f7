from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import nbformat
import pytest

from migkit.errors import ReportFailed
from migkit.redaction import register_secret
from migkit.report.archive import report
from migkit.report.kernel import execute
from migkit.report.render import redact_html, render, template_path
from migkit.workflow.rehearsal import Rehearsal
from tests.display.markup import Markup


def notebook(folder: Path, *sources: str) -> Path:
    cells = [nbformat.v4.new_code_cell('evidence = ""', metadata={"tags": ["parameters"]})]
    cells += [nbformat.v4.new_code_cell(source) for source in sources]
    path = folder / "template.ipynb"
    nbformat.write(nbformat.v4.new_notebook(cells=cells), path)
    return path


@pytest.mark.parametrize("which", ["passed_page", "failed_page"])
def test_one_file_without_network_or_script(which: str, request: pytest.FixtureRequest) -> None:
    html = request.getfixturevalue(which).read_text(encoding="utf-8")
    markup = Markup(html)
    assert "http" not in html
    assert not markup.tags & {"script", "link", "iframe", "img", "object", "embed"}
    assert not [value for _, name, value in markup.attributes if name.startswith("on") or name in ("src", "href")]
    assert not re.search(r"url\((?!#)", html)
    assert "@import" not in html
    assert len(html.encode()) < 500_000


def test_names_from_outside_are_text(passed_page: Path) -> None:
    markup = Markup(passed_page.read_text(encoding="utf-8"))
    assert "<script>alert(1)</script>" in markup.text
    assert 'order"; drop table x;--' in markup.text


def test_the_verdict_comes_first_and_input_is_not_shown(passed_page: Path) -> None:
    html = passed_page.read_text(encoding="utf-8")
    headings = re.findall(r"<h[12][^>]*>(.*?)</h[12]>", html)
    assert "Passed" in headings[0]
    assert headings[1:3] == ["What changed", "Locks"]
    assert "load_evidence" not in html
    assert "To run it by hand" not in html


def test_a_failure_reads_as_a_failure(failed_page: Path) -> None:
    html = failed_page.read_text(encoding="utf-8")
    assert "Failed</h1>" in html
    assert "mk-verdict mk-good" not in html
    assert "Passed" not in Markup(html).text


def test_both_colour_schemes_and_print_are_provided_for(passed_page: Path) -> None:
    html = passed_page.read_text(encoding="utf-8")
    assert "prefers-color-scheme:dark" in html
    assert "@media print" in html
    assert "@page" in html
    assert html.count('role="img"') >= 2


def test_the_executed_notebook_lies_beside_it_and_tells_nothing_of_this_machine(passed_page: Path) -> None:
    path = passed_page.with_name("report.ipynb")
    text = path.read_text(encoding="utf-8")
    document = nbformat.read(path, as_version=4)
    nbformat.validate(document)
    assert [cell for cell in document.cells if 'evidence = "."' in cell.source]
    assert "papermill" not in document.metadata
    assert str(passed_page.parent) not in text
    assert all(cell.execution_count for cell in document.cells if cell.cell_type == "code")


def test_the_template_has_no_output_and_one_parameter_cell() -> None:
    document = nbformat.read(template_path("signoff"), as_version=4)
    code = [cell for cell in document.cells if cell.cell_type == "code"]
    assert [cell.source for cell in code if "parameters" in cell.metadata.get("tags", [])] == ['evidence = ""']
    assert not [cell for cell in code if cell.outputs or cell.execution_count]


def test_a_failing_cell_is_a_failed_report_and_leaves_no_page(broken_off: Rehearsal, tmp_path: Path) -> None:
    assert broken_off.evidence is not None
    template = notebook(tmp_path, "raise RuntimeError('password=hunter2 was wrong')")
    with pytest.raises(ReportFailed, match="RuntimeError") as caught:
        report(broken_off, template=str(template))
    assert "hunter2" not in str(caught.value)
    assert not (broken_off.evidence / "report.html").exists()
    assert (broken_off.evidence / "evidence.json").exists()


@pytest.mark.parametrize(
    ("source", "reason"),
    [
        (f"import os, signal; os.kill(os.getpid(), {int(signal.SIGKILL)})", "DeadKernelError"),
        ("import sys; sys.exit(0)", "did not run to its end"),
    ],
    ids=["killed", "exit"],
)
def test_a_kernel_that_ends_early_is_a_failed_report(source: str, reason: str, tmp_path: Path) -> None:
    with pytest.raises(ReportFailed, match=reason):
        execute(notebook(tmp_path, source, "1"), {"evidence": "."}, tmp_path)


def test_a_page_that_claims_more_than_its_evidence_is_refused(broken_off: Rehearsal, tmp_path: Path) -> None:
    assert broken_off.evidence is not None
    lie = "from IPython.display import HTML; HTML('<header class=\"mk-verdict mk-good\">Passed</header>')"
    with pytest.raises(ReportFailed, match="reads as passed"):
        render(broken_off.evidence, str(notebook(tmp_path, lie)))
    assert not (broken_off.evidence / "report.html").exists()


def test_the_kernel_is_this_interpreter_without_anybody_else_s_settings(tmp_path: Path) -> None:
    probe = "import sys, os; print(sys.executable); print(os.getcwd()); print(os.environ['IPYTHONDIR'])"
    executed = execute(notebook(tmp_path, probe), {"evidence": "."}, tmp_path)
    executable, folder, profile = executed.cells[-1].outputs[0].text.split()
    assert executable == sys.executable
    assert Path(folder) == tmp_path.resolve()
    assert not Path(profile).exists()


def test_an_unknown_template_names_the_known_ones(passed: Rehearsal) -> None:
    with pytest.raises(ReportFailed, match=r"Known: .*signoff"):
        report(passed, template="nothing")


def test_a_folder_without_evidence_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ReportFailed, match="holds no evidence"):
        report(tmp_path)


def test_damaged_evidence_is_a_failed_report(tmp_path: Path) -> None:
    (tmp_path / "evidence.json").write_text('{"status": "passed"', encoding="utf-8")
    with pytest.raises(ReportFailed, match="damaged"):
        report(tmp_path)


def test_a_rehearsal_without_evidence_says_what_to_do(passed: Rehearsal) -> None:
    with pytest.raises(ReportFailed, match="Repeat it with an archive"):
        report(replace(passed, evidence=None))


def test_redaction_masks_text_and_keeps_the_markup() -> None:
    register_secret("s3cr3t<&>")
    html = '<td title="password=abc">password=abc</td><code>s3cr3t&lt;&amp;&gt; x</code><path d="M 1 2"/>'
    assert redact_html(html) == '<td title="password=***">password=***</td><code>*** x</code><path d="M 1 2"/>'


def test_a_secret_that_reached_the_notebook_reaches_no_file(broken_off: Rehearsal, tmp_path: Path) -> None:
    assert broken_off.evidence is not None
    register_secret("Tr0ub4dor&3")
    leak = "print('it is Tr0ub4dor&3'); from IPython.display import HTML; HTML('<p>Tr0ub4dor&amp;3</p>')"
    page = render(broken_off.evidence, str(notebook(tmp_path, leak)))
    written = [page.read_text(encoding="utf-8"), page.with_name("report.ipynb").read_text(encoding="utf-8")]
    for path in (page, page.with_name("report.ipynb")):
        path.unlink()
    assert not [text for text in written if "Tr0ub4dor" in text]
    assert json.loads(written[1])


@pytest.mark.slow
def test_rendering_says_nothing_on_the_terminal(passed: Rehearsal) -> None:
    program = "import sys; from migkit.report.render import render; from pathlib import Path; render(Path(sys.argv[1]))"
    done = subprocess.run(
        [sys.executable, "-c", program, str(passed.evidence)],
        capture_output=True,
        text=True,
        timeout=120,
        env=os.environ,
    )
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
