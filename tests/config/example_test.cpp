// The example that ships, as it is and broken in ten thousand ways.
#include <random>
#include <sstream>

#include "scratch.hpp"

namespace tidegate::config {
namespace {

std::string example() {
  std::ifstream in(TIDEGATE_EXAMPLE, std::ios::binary);
  std::ostringstream text;
  text << in.rdbuf();
  return text.str();
}

struct Example : ::testing::Test {
  scratch_folder folder;
  const environment tls{"TLS_DIR", folder.path()}, upstream{"UPSTREAM_PASSWORD", "SECRET-u"},
      control{"CONTROL_PASSWORD", "SECRET-c"}, user{"ISALES_CAMPAIGN_TOKEN", "SECRET-i"},
      admin{"ADMIN_TOKEN", "SECRET-a"};
  Example() {
    folder.write("server.crt", "c", 0644);
    folder.write("server.key", "k");
    folder.write("ca.crt", "c", 0644);
  }
};

TEST_F(Example, IsAcceptedOnceItsVariablesAreSet) {
  std::vector<mistake> warnings;
  const auto result = load_file(TIDEGATE_EXAMPLE, &warnings);
  ASSERT_TRUE(result.has_value()) << all_of(result.error());
  EXPECT_TRUE(warnings.empty()) << all_of(warnings);
  EXPECT_EQ((*result)->limits.size(), 2U);
  EXPECT_EQ((*result)->ttl.size(), 3U);
  EXPECT_EQ((*result)->users.at(0).password, "SECRET-i");
}

class mutator {
 public:
  std::string operator()(const std::vector<std::string>& lines) {
    std::vector<std::string> changed = lines;
    const std::size_t times = 1 + below(4);
    for (std::size_t i = 0; i < times && !changed.empty(); ++i) mutate(changed);
    std::string text;
    for (const auto& line : changed) text += line + "\n";
    if (below(20) == 0) text.resize(below(text.size() + 1));
    return text;
  }

 private:
  std::size_t below(std::size_t bound) { return random_() % bound; }

  void mutate(std::vector<std::string>& lines) {
    const std::size_t at = below(lines.size());
    std::string& line = lines[at];
    static const std::vector<std::string> pieces{
        "{",    "}",  "[",   "]",  ": ", "- ",    "&a ", "*a", "!x ", "|",
        ">",    "\"", "'",   "#",  "\t", "${",    "$${", "}",  "-",   "999999999999999999999",
        "\xff", "%",  "---", "? ", "~",  "<<: *a"};
    switch (below(8)) {
      case 0:
        lines.erase(lines.begin() + static_cast<std::ptrdiff_t>(at));
        break;
      case 1:
        lines.insert(lines.begin() + static_cast<std::ptrdiff_t>(at), std::string(line));
        break;
      case 2:
        std::swap(line, lines[below(lines.size())]);
        break;
      case 3:
        line.insert(below(line.size() + 1), pieces[below(pieces.size())]);
        break;
      case 4:
        if (!line.empty()) line[below(line.size())] = static_cast<char>(below(256));
        break;
      case 5:
        line.erase(below(line.size() + 1));
        break;
      case 6:
        if (!line.empty()) line.erase(below(line.size()), 1);
        break;
      default:
        line.insert(0, std::string(below(6), ' '));
        break;
    }
  }

  std::mt19937 random_{20261122};
};

TEST_F(Example, BrokenAtRandomNeverCrashesNorShowsASecret) {
  std::vector<std::string> lines;
  // Half the secrets as text, so that a garbled line cannot show one either.
  std::string text = example();
  text.replace(text.find("${CONTROL_PASSWORD}\" }"), 19, "SECRET-literal");
  std::istringstream in(text);
  for (std::string line; std::getline(in, line);) {
    if (!line.empty() && line[0] != '#') lines.push_back(line);
  }
  mutator mutate;
  int accepted = 0;
  for (int i = 0; i < 10'000; ++i) {
    const std::string broken = mutate(lines);
    std::vector<mistake> warnings;
    const auto result = load_text(broken, "proxy.yaml", &warnings);
    ASSERT_EQ(all_of(warnings).find("SECRET"), std::string::npos) << broken << all_of(warnings);
    if (result) {
      ++accepted;
      continue;
    }
    ASSERT_FALSE(result.error().empty()) << broken;
    for (const mistake& one : result.error()) {
      ASSERT_GT(one.line, 0U) << broken << one.to_string();
      ASSERT_FALSE(one.text.empty()) << broken;
      ASSERT_EQ(one.to_string().find("SECRET"), std::string::npos) << broken << one.to_string();
    }
  }
  EXPECT_GT(accepted, 100);
  EXPECT_LT(accepted, 9'000);
}

}  // namespace
}  // namespace tidegate::config
