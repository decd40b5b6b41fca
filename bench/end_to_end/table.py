"""The results for people: one line a row, and what stands behind each."""

import figures
import matrix

COLUMNS = (matrix.HAPROXY, matrix.NUTCRACKER, matrix.STUNNEL, matrix.OFF, matrix.LEDGER)


def number(value):
    if value is None:
        return "-"
    if value == int(value):
        return str(int(value))
    return f"{value:.0f}" if value >= 100 else f"{value:.2f}"


def three(spread):
    return f"{spread['median']:.2f} ({spread['minimum']:.2f}-{spread['maximum']:.2f})"


def cell(result, name):
    found = result["peers"].get(name)
    if found is None:
        return "-"
    if result["kind"] != "cpu":
        return number(found["value"])
    if name == matrix.HAPROXY:
        return f"{found['cpu_us']['median']:.2f} us = 1.00"
    return f"{found['ratio']['median']:.2f}"


def our_cell(result):
    if "void" in result:
        return result["void"]
    found = result["peers"][result["ours"]]
    return three(found["ratio"]) if result["kind"] == "cpu" else number(found["value"])


def markdown(lines):
    widths = [max(len(line[column]) for line in lines) for column in range(len(lines[0]))]
    rendered = ["| " + " | ".join(word.ljust(width) for word, width in zip(line, widths)) + " |" for line in lines]
    return [rendered[0], "|" + "|".join("-" * (width + 2) for width in widths) + "|", *rendered[1:]]


def main_table(results):
    lines = [["work", "haproxy", "nutcracker", "stunnel", "policy off", "with the ledger", "tidegate (min-max)", "must", "", "aim", ""]]
    for result in results:
        lines.append([result["title"], *(cell(result, name) for name in COLUMNS), our_cell(result),
                      "<= " + number(result["must"]), figures.words_of(result["met"]),
                      number(result["aim"]), figures.words_of(result["aim_met"])])
        for title, price, columns in (("the policy's price there", result.get("policy_price"), ["1.00", ""]),
                                      ("the ledger's, beside the policy", result.get("ledger_price"), ["", ""])):
            if price:
                lines.append([title, "", "", "", *columns, three(price), f"<= {number(price['must'])}",
                              figures.words_of(price["met"]), "-", "-"])
    return markdown(lines)


def behind_table(results):
    """Who worked how hard: a generator near 1.00 of its core together with the server is what limits the commands a second."""
    lines = [["row", "who", "CPU us a command (min-median-max)", "commands/s", "p50 us", "p99.9 us", "proxy's core",
              "server", "generator"]]
    for result in results:
        for name, found in result["peers"].items():
            if result["kind"] != "cpu":
                continue
            cost = found.get("cpu_us")
            lines.append([result["name"], name,
                          f"{cost['minimum']:.2f} - {cost['median']:.2f} - {cost['maximum']:.2f}" if cost else "-",
                          number(found["commands_per_second"]["median"]), number(found["p50_us"]["median"]),
                          number(found["p999_us"]["median"]), number(found["proxy_share"]["median"]),
                          number(found["server_share"]["median"]), number(found["generator_share"]["median"])])
    return markdown(lines) if len(lines) > 1 else []


def put_between(text, name, lines):
    """The text with what stands between `<!-- NAME -->` and `<!-- /NAME -->` replaced; the marks stay."""
    begin, end = f"<!-- {name} -->\n", f"<!-- /{name} -->\n"
    before, found, rest = text.partition(begin)
    _, closed, after = rest.partition(end)
    if not found or not closed:
        raise ValueError(f"no marks {begin.strip()} and {end.strip()}")
    return before + begin + "\n".join(lines) + "\n" + end + after


def write_readme(path, name, lines):
    path.write_text(put_between(path.read_text(), name, lines))
