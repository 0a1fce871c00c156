"""DOCX (Office Open XML), for Word and its kin: headings, running head, page numbers; the same bytes on every run."""

import io
import zipfile
from collections.abc import Iterator
from datetime import UTC, datetime
from html import escape
from typing import Any

from tasks.documents.document import Document
from tasks.documents.format import Format
from tasks.documents.guard import language_tag, right_to_left
from tasks.documents.layout.turns import Section, clock, facts, sections
from tasks.documents.options import PageOptions, PaperSize

_W = "http://schemas.openxmlformats.org/wordprocessingml/2006/main"
_CM = 360_000  # in Word's English metric units
_PAPER = {PaperSize.A4: (21.0, 29.7), PaperSize.LETTER: (21.59, 27.94)}
_EAST_ASIAN = {"zh": "Microsoft YaHei", "yue": "Microsoft JhengHei", "ko": "Malgun Gothic"}
_FIXED = (1980, 1, 1, 0, 0, 0)  # the first day that a ZIP knows
_GREY = "595959"


def write(document: Document, options: PageOptions) -> bytes:
    """Return the document; turns are headings, so that Word's navigation lists them."""
    import docx
    from docx.oxml import parse_xml

    made = docx.Document()
    _set_facts(made, document)
    _set_styles(made, document)
    _set_page(made, document, options)
    end = made.element.body[-1]  # the section's properties stay last
    for number, xml in enumerate(_paragraphs(document, options)):
        end.addprevious(parse_xml(xml.replace("@id@", str(number))))
    out = io.BytesIO()
    made.save(out)
    return _reproducible(out.getvalue())


def _set_facts(made: Any, document: Document) -> None:
    at = datetime.fromtimestamp(document.created_at / 1000, tz=UTC).replace(tzinfo=None, microsecond=0)
    properties = made.core_properties
    properties.title = document.title or "Transcript"
    properties.author = properties.last_modified_by = "Graphophone"
    properties.comments, properties.revision = "", 1
    properties.created = properties.modified = at
    properties.language = language_tag(document.language)


def _set_styles(made: Any, document: Document) -> None:
    from docx.enum.style import WD_STYLE_TYPE
    from docx.oxml.ns import qn
    from docx.shared import Pt, RGBColor

    language = document.language or ""
    for name, points, before, after in (
        ("Normal", 10.5, 0, 6), ("Title", 22, 0, 10), ("Heading 1", 13, 18, 6), ("Heading 2", 10.5, 10, 2),
    ):  # fmt: skip
        style = made.styles[name]
        style.font.size, style.font.name = Pt(points), "Calibri"
        style.paragraph_format.space_before, style.paragraph_format.space_after = Pt(before), Pt(after)
        style.font.color.rgb = RGBColor.from_string(_GREY if name == "Heading 1" else "000000")
        fonts = style.element.get_or_add_rPr().get_or_add_rFonts()
        for theme in ("asciiTheme", "hAnsiTheme", "eastAsiaTheme", "cstheme"):
            fonts.attrib.pop(qn(f"w:{theme}"), None)
        fonts.set(qn("w:eastAsia"), _EAST_ASIAN.get(language, "Yu Gothic"))
        fonts.set(qn("w:cs"), "Arial")
    made.styles["Normal"].paragraph_format.line_spacing = 1.15
    time = made.styles.add_style("Time", WD_STYLE_TYPE.CHARACTER)
    time.font.size, time.font.color.rgb = Pt(8.5), RGBColor.from_string(_GREY)
    for border in made.styles["Title"].element.iter(qn("w:pBdr")):
        border.getparent().remove(border)
    for tag in made.styles.element.iter(qn("w:lang")):
        tag.set(qn("w:val"), language_tag(language))
        tag.set(qn("w:eastAsia"), language if language in {"zh", "ja", "ko"} else "ja")
        tag.set(qn("w:bidi"), language if language in {"ar", "he", "fa", "ur", "yi"} else "ar")


def _set_page(made: Any, document: Document, options: PageOptions) -> None:
    from docx.oxml import parse_xml
    from docx.shared import Emu

    width, height = _PAPER[options.paper_size]
    page = made.sections[0]
    page.page_width, page.page_height = Emu(round(width * _CM)), Emu(round(height * _CM))
    page.left_margin = page.right_margin = Emu(round(2.2 * _CM))
    page.top_margin = page.bottom_margin = Emu(round(2.4 * _CM))
    page.different_first_page_header_footer = True
    day = facts(document, speakers=False)[0][1]
    right = round((width - 4.4) / 2.54 * 1440)  # twentieths of a point
    stops = (("clear", 4320), ("clear", 8640), ("right", right))
    tabs = "".join(f'<w:tab w:val="{kind}" w:pos="{at}"/>' for kind, at in stops)
    head = _run(document.title[:80], style="Time") + "<w:r><w:tab/></w:r>" + _run(day, style="Time")
    foot = _field("PAGE") + _run(" / ", style="Time") + _field("NUMPAGES")
    for place, settings, runs in (
        (page.header, f"<w:tabs>{tabs}</w:tabs>", head),
        (page.footer, '<w:jc w:val="center"/>', foot),
        (page.first_page_footer, '<w:jc w:val="center"/>', foot),
    ):
        paragraph = place.paragraphs[0]._p  # noqa: SLF001  python-docx's documented way to the XML
        paragraph.getparent().replace(
            paragraph, parse_xml(f'<w:p xmlns:w="{_W}"><w:pPr>{settings}</w:pPr>{runs}</w:p>')
        )


def _paragraphs(document: Document, options: PageOptions) -> Iterator[str]:
    yield _paragraph("Title", document.title or "Transcript")
    for name, value in facts(document, speakers=options.speaker_labels):
        tab = '<w:spacing w:after="20"/><w:ind w:left="1360" w:hanging="1360"/>'
        yield (
            f'<w:p xmlns:w="{_W}"><w:pPr><w:tabs><w:tab w:val="left" w:pos="1360"/></w:tabs>{tab}</w:pPr>'
            f"{_run(name, style='Time')}<w:r><w:tab/></w:r>{_run(value)}</w:p>"
        )
    for number, section in enumerate(sections(document)):
        yield _paragraph("Heading1", section.title, bookmark=f"section{number + 1}")
        yield from _turns(section, options)


def _turns(section: Section, options: PageOptions) -> Iterator[str]:
    for turn in section.turns:
        if options.speaker_labels and turn.speaker:
            yield _paragraph("Heading2", turn.speaker)
        for paragraph in turn.paragraphs:
            yield _paragraph("", paragraph.text, time=clock(paragraph.start) if options.timestamps else "")


def _paragraph(style: str, text: str, *, time: str = "", bookmark: str = "") -> str:
    """Return a paragraph with its direction. In a hanging indent, the time stands before the text."""
    rtl = right_to_left(text)
    settings = f'<w:pStyle w:val="{style}"/>' if style else ""
    if time:
        settings += '<w:tabs><w:tab w:val="left" w:pos="900"/></w:tabs>'
    settings += "<w:bidi/>" * rtl
    if time:
        settings += '<w:ind w:left="900" w:hanging="900"/>'
    mark = f'<w:bookmarkStart w:id="@id@" w:name="{bookmark}"/><w:bookmarkEnd w:id="@id@"/>' if bookmark else ""
    start = _run(time, style="Time") + "<w:r><w:tab/></w:r>" if time else ""
    return f'<w:p xmlns:w="{_W}"><w:pPr>{settings}</w:pPr>{mark}{start}{_run(text, rtl=rtl)}</w:p>'


def _run(text: str, *, style: str = "", rtl: bool = False) -> str:
    settings = (f'<w:rStyle w:val="{style}"/>' if style else "") + "<w:rtl/>" * rtl
    return f'<w:r><w:rPr>{settings}</w:rPr><w:t xml:space="preserve">{escape(text, quote=False)}</w:t></w:r>'


def _field(name: str) -> str:
    return f'<w:fldSimple w:instr="{name}">{_run("1", style="Time")}</w:fldSimple>'


def _reproducible(data: bytes) -> bytes:
    """Return the ZIP with its members in a fixed order and without the time at which it was made."""
    out = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(data)) as source, zipfile.ZipFile(out, "w") as target:
        names = sorted(source.namelist(), key=lambda name: (name != "[Content_Types].xml", name))
        for name in names:
            member = zipfile.ZipInfo(name, _FIXED)
            member.compress_type, member.external_attr, member.create_system = zipfile.ZIP_DEFLATED, 0o600 << 16, 3
            target.writestr(member, source.read(name), compresslevel=6)
    return out.getvalue()


FORMAT = Format(
    name="DOCX",
    description="A document for Word and its kin, with headings, running head and page numbers.",
    media_type="application/vnd.openxmlformats-officedocument.wordprocessingml.document",
    extension="docx",
    options=PageOptions,
    write=write,
)
