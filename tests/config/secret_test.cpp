// Secrets: where they may come from, and that no message ever shows one.
#include "scratch.hpp"

namespace tidegate::config {
namespace {

constexpr std::string_view the_secret = "hunter2-S3CR3T";

struct Secret : ::testing::Test {
  scratch_folder folder;
  const environment variable{"TIDEGATE_TEST_SECRET", std::string(the_secret)};

  std::expected<std::shared_ptr<const config>, std::vector<mistake>> load(std::string_view password,
                                                                          mode_t mode) const {
    const std::string text = with("users: [ { name: a, password: \"" + std::string(password) + "\" } ]\n");
    return load_file(folder.write("proxy.yaml", text, mode));
  }
  void expect_taken(std::string_view password, mode_t mode) const {
    const auto result = load(password, mode);
    ASSERT_TRUE(result.has_value()) << all_of(result.error());
    EXPECT_EQ((*result)->users.at(0).password, the_secret);
  }
  void expect_refused(std::string_view password, mode_t mode, std::string_view word) const {
    const auto result = load(password, mode);
    ASSERT_FALSE(result.has_value()) << password << " " << mode;
    ASSERT_EQ(result.error().size(), 1U) << all_of(result.error());
    const mistake& found = result.error()[0];
    EXPECT_EQ(found.line, 3U);
    EXPECT_EQ(found.key, "users[0].password");
    EXPECT_NE(found.text.find(word), std::string::npos) << found.to_string();
    EXPECT_EQ(found.to_string().find(the_secret), std::string::npos) << found.to_string();
  }
};

TEST_F(Secret, StandsAsTextOnlyInAFileOfOnesOwn) {
  expect_taken(the_secret, 0600);
  expect_taken(the_secret, 0400);
  for (const mode_t mode : {0640U, 0604U, 0644U, 0620U, 0610U}) expect_refused(the_secret, mode, "chmod 600");
}

TEST_F(Secret, IsSafeFromNobodyInAFileThatAnybodyMayWrite) {
  for (const mode_t mode : {0602U, 0646U, 0666U, 0777U}) {
    const auto result = load_file(folder.write("proxy.yaml", with(""), mode));
    ASSERT_FALSE(result.has_value()) << mode;
    ASSERT_EQ(result.error().size(), 1U) << all_of(result.error());
    EXPECT_NE(result.error()[0].to_string().find("proxy.yaml:1: anybody may write this file; run chmod o-w"),
              std::string::npos)
        << result.error()[0].to_string();
  }
  EXPECT_TRUE(load_file(folder.write("proxy.yaml", with(""), 0664)).has_value());
}

TEST_F(Secret, ComesFromTheEnvironmentInAnyFile) {
  expect_taken("${TIDEGATE_TEST_SECRET}", 0644);
  expect_refused("x${TIDEGATE_TEST_SECRET}", 0644, "stands as text");
  expect_refused("$${TIDEGATE_TEST_SECRET}", 0644, "stands as text");
}

TEST_F(Secret, ComesFromAFileThatOthersCannotOpen) {
  folder.write("s/token", std::string(the_secret) + "\n", 0400);
  expect_taken("file:s/token", 0644);
  expect_taken("file:" + folder.path() + "/s/token", 0644);
  folder.write("s/crlf", std::string(the_secret) + "\r\n");
  expect_taken("file:s/crlf", 0644);
  for (const mode_t mode : {0640U, 0604U, 0620U, 0602U}) {
    folder.write("s/open", the_secret, mode);
    expect_refused("file:s/open", 0600, "chmod 600");
  }
}

TEST_F(Secret, FileMayBeNamedByTheEnvironment) {
  const environment where("TIDEGATE_TEST_FOLDER", folder.path());
  folder.write("token", the_secret);
  expect_taken("file:${TIDEGATE_TEST_FOLDER}/token", 0644);
}

TEST_F(Secret, FromTheEnvironmentIsNeverTakenForAFileName) {
  const environment odd("TIDEGATE_TEST_ODD", "file:/etc/passwd");
  const auto result = load("${TIDEGATE_TEST_ODD}", 0644);
  ASSERT_TRUE(result.has_value()) << all_of(result.error());
  EXPECT_EQ((*result)->users.at(0).password, "file:/etc/passwd");
}

TEST_F(Secret, EmptyHugeOrOddFilesAreRefused) {
  folder.write("empty", "");
  folder.write("newline", "\n");
  folder.write("huge", std::string(5000, 'x'));
  expect_refused("file:empty", 0600, "is empty");
  expect_refused("file:newline", 0600, "is empty");
  expect_refused("file:huge", 0600, "larger than");
  expect_refused("file:.", 0600, "directory");
  const environment none("TIDEGATE_TEST_NONE", "");
  expect_refused("${TIDEGATE_TEST_NONE}", 0600, "is empty");
}

TEST_F(Secret, IsNeverShownWhereverItWasPutByMistake) {
  const std::string s(the_secret);
  const std::vector<std::string> texts{
      with_upstream("upstream: { url: \"rediss://u:" + s + "@h:1\" }\n"),
      with_upstream("upstream: { url: \"rediss://" + s + "@h:1/2?x=" + s + "\" }\n"),
      with_upstream("upstream: { url: \"" + s + "\" }\n"),
      with_upstream("upstream: { url: \"rediss://h/" + s + "\" }\n"),
      with_upstream("upstream: { url: \"rediss://h?password=" + s + "\" }\n"),
      with_upstream("upstream: { url: redis://h, auth: " + s + " }\n"),
      with_upstream("upstream: { url: redis://h, auth: [" + s + "] }\n"),
      with_upstream("upstream: { url: redis://h, auth: { " + s + " } }\n"),
      with_upstream("upstream: { url: redis://h, control: " + s + " }\n"),
      with_upstream("upstream: { url: redis://h, control: { passwrd: " + s + " } }\n"),
      with("users: " + s + "\n"),
      with("users: [ " + s + " ]\n"),
      with("users: [ { " + s + " } ]\n"),
      with("users: [ { name: a, password: [" + s + "] } ]\n"),
      with("users: [ { name: a, password: *" + s + " } ]\n"),
      with("users: [ { name: a, password: !" + s + " } ]\n"),
      with("users: [ { name: a, password: \"${TIDEGATE_TEST_SECRET\" } ]\n"),
      with("users: [ { name: a, password: \"file:${TIDEGATE_TEST_SECRET}\" } ]\n"),
      with("users: [ { name: a, password: \"" + s + "\n"),
      with("admin: { token: { a: " + s + " } }\n"),
      with("admin: " + s + "\n"),
      with("admin: { address: \"" + s + "\" }\n"),
      with("admin: { address: \"http://u:" + s + "@127.0.0.1:1\" }\n"),
      with("limits: [ { name: a, rate: \"${TIDEGATE_TEST_SECRET}\" } ]\n"),
      with("limits: [ { name: a, rate: 1/s, action: \"${TIDEGATE_TEST_SECRET}\", burst: \"${TIDEGATE_TEST_SECRET}\" } "
           "]\n"),
      with("workers: \"${TIDEGATE_TEST_SECRET}\"\ninstance: \"${TIDEGATE_TEST_SECRET} \"\n"),
      with("attribution: { sources: [ { cidr: \"${TIDEGATE_TEST_SECRET}\", as: b } ] }\n"),
      with("limits: [ { name: a, rate: 1/s, match: { command: \"${TIDEGATE_TEST_SECRET}!\" } } ]\n"),
      with("listen: [ { address: \"127.0.0.1:7\", tls: { certificate: \"${TIDEGATE_TEST_SECRET}\", key: "
           "\"${TIDEGATE_TEST_SECRET}\" } } ]\n")};
  for (const std::string& text : texts) {
    std::vector<mistake> warnings;
    const auto result = load_text(text, "proxy.yaml", &warnings);
    ASSERT_FALSE(result.has_value()) << text;
    EXPECT_EQ(all_of(result.error()).find(s), std::string::npos) << text << all_of(result.error());
    EXPECT_EQ(all_of(warnings).find(s), std::string::npos) << text << all_of(warnings);
  }
}

TEST_F(Secret, KeysOfCertificatesAreHeldToTheSame) {
  folder.write("server.crt", "c", 0644);
  const std::string text = with_listen(
      "listen:\n  - address: \"127.0.0.1:6380\"\n    tls:\n      certificate: server.crt\n      key: server.key\n");
  const std::string path = folder.write("proxy.yaml", text, 0644);
  for (const mode_t mode : {0640U, 0604U, 0660U}) {
    folder.write("server.key", "k", mode);
    const auto result = load_file(path);
    ASSERT_FALSE(result.has_value());
    EXPECT_EQ(result.error().size(), 1U);
    EXPECT_EQ(result.error()[0].line, 6U);
    EXPECT_EQ(result.error()[0].key, "listen[0].tls.key");
    EXPECT_NE(result.error()[0].text.find("chmod 600"), std::string::npos);
  }
  folder.write("server.key", "k", 0400);
  EXPECT_TRUE(load_file(path).has_value());
}

TEST_F(Secret, ClientCertificatesNeedACa) {
  folder.write("server.crt", "c", 0644);
  folder.write("server.key", "k");
  folder.write("ca.crt", "c", 0644);
  const auto load = [&](const std::string& rest) {
    return load_file(folder.write(
        "proxy.yaml",
        with_listen("listen:\n  - address: \"127.0.0.1:6380\"\n    tls: { certificate: server.crt, key: server.key, " +
                    rest + " }\n")));
  };
  for (const char* wanted : {"required", "optional"}) {
    const auto result = load("client_auth: " + std::string(wanted));
    ASSERT_FALSE(result.has_value());
    EXPECT_EQ(result.error().at(0).key, "listen[0].tls.client_auth");
    EXPECT_NE(result.error()[0].text.find("client_ca: FILE"), std::string::npos);
    EXPECT_TRUE(load("client_ca: ca.crt, client_auth: " + std::string(wanted)).has_value());
  }
  EXPECT_FALSE(load("client_ca: none.crt").has_value());
  EXPECT_FALSE(load("client_auth: yes").has_value());
}

TEST_F(Secret, TheUpstreamsCaIsFoundBesideTheFile) {
  folder.write("my ca.crt", "c", 0644);
  const auto result = load_file(
      folder.write("proxy.yaml", with_upstream("upstream: { url: \"rediss://h:1?ca=my%20ca.crt\" }\n"), 0644));
  ASSERT_TRUE(result.has_value()) << all_of(result.error());
  EXPECT_EQ((*result)->upstream.ca, folder.path() + "/my ca.crt");
}

}  // namespace
}  // namespace tidegate::config
