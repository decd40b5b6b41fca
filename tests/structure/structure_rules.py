"""The rules of the tree: who may use whom, and what no file of ours may hold. Each rule returns its violations as text.

Rules work on (path, text) pairs, so that the test of the rules can feed them a wrong tree.
"""

import re

# Bottom to top: a folder may use itself and what stands before it (the contract's layout, read upwards).
LAYERS = ["resp", "config", "attribution", "ttl", "limiter", "policy", "proxy/session", "evidence", "proxy/net",
          "proxy/admin", "cli"]
# What CMake calls the library of a folder where that is not the folder's last word.
EVIDENCE = ["audit", "ledger", "capture", "recorder", "document", "report", "forecast", "simulate", "replay", "keyspace"]
LIBRARIES = ({folder.split("/")[-1]: folder for folder in LAYERS} | {"control": "proxy/net", "demo": "cli"}
             | {name: "evidence" for name in EVIDENCE})
# resp depends on nothing of ours; so does config.
ALLOWED_EXCEPTIONS = {"config": set()}
IO_FOLDERS = {"proxy/net", "proxy/admin", "evidence", "cli"}
IO_HEADERS = re.compile(r"^(boost/asio|openssl/|sys/socket\.h|sys/un\.h|sys/epoll\.h|sys/eventfd\.h|netinet/|netdb\.h|hiredis/)")
FORBIDDEN_FOLDERS = {"utils", "util", "helpers", "helper", "common", "manager", "misc"}
FILE_LINES_MAX = 800
INCLUDE = re.compile(r'^\s*#\s*include\s*[<"]([^>"]+)[>"]', re.MULTILINE)
SOURCE = re.compile(r"\.(cpp|hpp|ipp)$")


def layer_of(path):
    """The folder of LAYERS that a path stands in, or None (tests, bench, …)."""
    fits = [folder for folder in LAYERS if path.startswith(folder + "/")]
    return max(fits, key=len) if fits else None


def may_use(folder):
    if folder in ALLOWED_EXCEPTIONS:
        return ALLOWED_EXCEPTIONS[folder] | {folder}
    return set(LAYERS[:LAYERS.index(folder) + 1])


def without_comments(text):
    """Comments and literals emptied, lines kept, so that a word in a sentence is no violation."""
    token = re.compile(r'//[^\n]*|/\*.*?\*/|"(?:\\.|[^"\\\n])*"|\'(?:\\.|[^\'\\\n])+\'', re.DOTALL)
    return token.sub(lambda found: "\n" * found.group(0).count("\n") if found.group(0)[0] == "/" else '""', text)


def wrong_includes(files):
    for path, text in files:
        folder = layer_of(path)
        if folder is None or not SOURCE.search(path):
            continue
        for name in INCLUDE.findall(text):
            target = layer_of(name)
            if target and target not in may_use(folder):
                yield f"{path}: {folder} includes {name}, which does not stand below it"
            if name.startswith(("tests/", "bench/")):
                yield f"{path}: includes {name}"
            if IO_HEADERS.match(name) and folder not in IO_FOLDERS:
                yield f"{path}: {folder} includes {name}; only {', '.join(sorted(IO_FOLDERS))} may"


def wrong_links(files):
    """tidegate_library(NAME … LINK … PRIVATE_LINK …): every tidegate::X on it must stand below."""
    for path, text in files:
        folder = layer_of(path)
        if folder is None or not path.endswith(("CMakeLists.txt", ".cmake")):
            continue
        for call in re.findall(r"tidegate_library\s*\(([^)]*)\)", re.sub(r"#[^\n]*", "", text)):
            for name in re.findall(r"tidegate::(\w+)", call):
                target = LIBRARIES.get(name)
                if name == "options":
                    continue
                if target is None:
                    yield f"{path}: links tidegate::{name}, which no folder of the layout is called"
                elif target not in may_use(folder):
                    yield f"{path}: {folder} links tidegate::{name}, which does not stand below it"


def forbidden_folders(files):
    for path, _ in files:
        for part in path.split("/")[:-1]:
            if part in FORBIDDEN_FOLDERS:
                yield f"{path}: a folder is called {part}"


def long_files(files):
    for path, text in files:
        lines = text.count("\n")
        if SOURCE.search(path) and lines > FILE_LINES_MAX:
            yield f"{path}: {lines} lines, more than {FILE_LINES_MAX}"


def left_overs(files):
    mark = re.compile(r"\b(TO" r"DO|FIX" r"ME|XX" r"X)\b")
    for path, text in files:
        if not re.search(r"\.(cpp|hpp|ipp|py|cmake|md|yaml|js|mjs)$|^dev$", path):
            continue
        for number, line in enumerate(text.splitlines(), 1):
            if mark.search(line):
                yield f"{path}:{number}: {line.strip()}"


def headers_without_contract(files):
    for path, text in files:
        if not path.endswith(".hpp") or layer_of(path) is None:
            continue
        if not re.search(r"^#pragma once$", text, re.MULTILINE):
            yield f"{path}: no #pragma once"
        head = text.split("#pragma once")[0]
        if not re.search(r"thread[ -]safe", head, re.IGNORECASE):
            yield f"{path}: does not say its thread safety above #pragma once"


def mutable_globals(files):
    """State at namespace scope that is not constant. Counts braces, so it sees what stands at depth of namespaces only."""
    opening = re.compile(r"\bnamespace\b[^;{]*\{")
    declaration = re.compile(r"^\s*(?:static\s+|inline\s+|thread_local\s+|alignas\([^)]*\)\s*)*"
                             r"[A-Za-z_][\w:]*(?:<[^;=(]*>)?[\s&*]+[A-Za-z_]\w*(?:\[[^\]]*\])*\s*(?:=[^=].*|\{[^}]*\})?;")
    harmless = re.compile(r"^\s*(?:const|constexpr|constinit\s+const|inline\s+const|static\s+const|static\s+constexpr|inline\s+"
                          r"constexpr|using|typedef|extern|template|friend|return|class|struct|enum|union|namespace|"
                          r"static_assert|public|private|protected|case|break|goto)\b")
    for path, text in files:
        if layer_of(path) is None or not SOURCE.search(path):
            continue
        code = without_comments(text)
        code = re.sub(r"^\s*#[^\n]*(?:\\\n[^\n]*)*", "", code, flags=re.MULTILINE)
        stack = []
        statement = ""
        line_number = 1
        for found in re.finditer(r"[^{};\n]+|[{};\n]", code):
            part = found.group(0)
            if part == "\n":
                line_number += 1
                statement += " "
            elif part == "{":
                stack.append(bool(opening.search(statement + "{")))
                statement = "" if stack[-1] else statement + "{}"
            elif part == "}":
                was_namespace = stack.pop() if stack else True
                if was_namespace or not re.search(r"=|\bstd::", statement):
                    statement = "" if all(stack) and (was_namespace or ")" in statement) else statement
            elif part == ";":
                if all(stack):
                    line = statement.strip() + ";"
                    if declaration.match(line) and not harmless.match(line) and "operator" not in line:
                        yield f"{path}:{line_number}: mutable state at namespace scope: {line}"
                    statement = ""
                elif not stack or stack[-1]:
                    statement = ""
            elif all(stack):
                statement += part
        # A keyword says it even where the shape above is missed.
        for number, line in enumerate(code.splitlines(), 1):
            if re.match(r"^(?:thread_local|static)\s+(?!const|constexpr|void|inline)[\w:<>,\s*&]+\s\w+\s*(?:=.*|\{.*\})?;", line):
                yield f"{path}:{number}: mutable state at namespace scope: {line.strip()}"
