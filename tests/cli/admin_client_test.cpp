#include "cli/admin_client.hpp"

#include <gtest/gtest.h>

#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/read.hpp>
#include <boost/asio/read_until.hpp>
#include <boost/asio/write.hpp>
#include <cstdlib>
#include <thread>

#include "config/load.hpp"

namespace tidegate::cli {
namespace {

namespace asio = boost::asio;
using asio::ip::tcp;

// Answers one connection with these bytes and keeps what it was asked.
class one_answer {
 public:
  explicit one_answer(std::string bytes)
      : acceptor_(context_, tcp::endpoint(asio::ip::make_address("127.0.0.1"), 0)), thread_([this, bytes] {
          tcp::socket socket(context_);
          acceptor_.accept(socket);
          boost::system::error_code ignored;
          const std::size_t header = asio::read_until(socket, asio::dynamic_buffer(asked_), "\r\n\r\n", ignored);
          const std::size_t at = asked_.find("Content-Length: ");
          const std::size_t body = at < header ? std::stoul(asked_.substr(at + 16)) : 0;
          if (asked_.size() < header + body) {
            asio::read(socket, asio::dynamic_buffer(asked_), asio::transfer_exactly(header + body - asked_.size()),
                       ignored);
          }
          asio::write(socket, asio::buffer(bytes), ignored);
        }) {}
  ~one_answer() {
    if (thread_.joinable()) thread_.join();
  }
  one_answer(const one_answer&) = delete;
  one_answer& operator=(const one_answer&) = delete;

  [[nodiscard]] admin_client client(std::string token = {}) const {
    return admin_client({.host = "127.0.0.1",
                         .port = acceptor_.local_endpoint().port(),
                         .token = std::move(token),
                         .user = "olga",
                         .deadline = std::chrono::seconds(10)});
  }
  [[nodiscard]] std::string asked() {
    thread_.join();
    return asked_;
  }

 private:
  asio::io_context context_;
  tcp::acceptor acceptor_;
  std::string asked_;
  std::thread thread_;
};

std::string answer(const std::string& status, const std::string& body) {
  return "HTTP/1.1 " + status + "\r\nContent-Length: " + std::to_string(body.size()) + "\r\n\r\n" + body;
}

TEST(AdminClient, SendsTokenUserAndDocumentAndGivesTheAnswer) {
  one_answer server(answer("200 OK", R"({"ok":true})"));
  const auto got = server.client("secret").post("/api/v1/caps", R"({"client":"a"})");
  ASSERT_TRUE(got) << got.error().text;
  EXPECT_EQ(got->status, 200U);
  EXPECT_EQ(got->body, R"({"ok":true})");
  const std::string asked = server.asked();
  EXPECT_TRUE(asked.starts_with("POST /api/v1/caps HTTP/1.1\r\n")) << asked;
  EXPECT_NE(asked.find("Authorization: Bearer secret\r\n"), std::string::npos) << asked;
  EXPECT_NE(asked.find("X-Tidegate-User: olga\r\n"), std::string::npos) << asked;
  EXPECT_TRUE(asked.ends_with("\r\n\r\n{\"client\":\"a\"}")) << asked;
}

TEST(AdminClient, SaysNothingOfATokenThatItDoesNotHave) {
  one_answer server(answer("200 OK", "{}"));
  ASSERT_TRUE(server.client().del("/api/v1/caps/a"));
  const std::string asked = server.asked();
  EXPECT_TRUE(asked.starts_with("DELETE /api/v1/caps/a HTTP/1.1\r\n")) << asked;
  EXPECT_EQ(asked.find("Authorization"), std::string::npos) << asked;
}

TEST(AdminClient, RepeatsWhatTheServerRefusedAndWhy) {
  one_answer server(answer("400 Bad Request", R"({"error":"rate: write 500/s"})"));
  const auto got = server.client("secret").post("/api/v1/caps", "{}");
  ASSERT_FALSE(got);
  EXPECT_EQ(got.error().status, 400U);
  EXPECT_NE(got.error().text.find("rate: write 500/s"), std::string::npos) << got.error().text;
}

TEST(AdminClient, SaysWhereATokenIsToBeWritten) {
  one_answer server(answer("401 Unauthorized", R"({"error":"a token is needed"})"));
  const auto got = server.client().get("/api/v1/caps");
  ASSERT_FALSE(got);
  EXPECT_EQ(got.error().status, 401U);
  EXPECT_NE(got.error().text.find("TIDEGATE_TOKEN"), std::string::npos);
}

TEST(AdminClient, NeverRepeatsTheTokenInAnError) {
  one_answer server(answer("403 Forbidden", R"({"error":"the token is wrong"})"));
  const auto got = server.client("very-secret").get("/api/v1/caps");
  ASSERT_FALSE(got);
  EXPECT_EQ(got.error().text.find("very-secret"), std::string::npos);
}

TEST(AdminClient, TellsNobodyThereFromSomebodyElse) {
  std::uint16_t port = 0;
  {
    asio::io_context context;
    port = tcp::acceptor(context, tcp::endpoint(asio::ip::make_address("127.0.0.1"), 0)).local_endpoint().port();
  }
  const auto refused = admin_client({.host = "127.0.0.1", .port = port, .token = {}, .user = {}}).get("/healthz");
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().status, 0U);
  EXPECT_NE(refused.error().text.find("cannot be reached"), std::string::npos) << refused.error().text;

  one_answer redis("-ERR unknown command\r\n");
  const auto wrong = redis.client().get("/healthz");
  ASSERT_FALSE(wrong);
  EXPECT_EQ(wrong.error().status, 0U);
  EXPECT_NE(wrong.error().text.find("did not answer"), std::string::npos) << wrong.error().text;
}

TEST(AdminClient, EndsWithItsDeadlineWhenNobodyAnswers) {
  asio::io_context context;
  tcp::acceptor silent(context, tcp::endpoint(asio::ip::make_address("127.0.0.1"), 0));
  const auto got = admin_client({.host = "127.0.0.1",
                                 .port = silent.local_endpoint().port(),
                                 .token = {},
                                 .user = {},
                                 .deadline = std::chrono::milliseconds(50)})
                       .get("/healthz");
  ASSERT_FALSE(got);
  EXPECT_NE(got.error().text.find("within 50 ms"), std::string::npos) << got.error().text;
}

class AdminClientTarget : public testing::Test {
 protected:
  AdminClientTarget() {
    ::unsetenv("TIDEGATE_ADMIN");
    ::unsetenv("TIDEGATE_TOKEN");
  }
  ~AdminClientTarget() override {
    ::unsetenv("TIDEGATE_ADMIN");
    ::unsetenv("TIDEGATE_TOKEN");
  }
  static std::expected<admin_client, std::string> open(const std::string& admin) {
    const std::string yaml =
        "listen: [ { address: \"127.0.0.1:6380\" } ]\nupstream: { url: \"redis://127.0.0.1:6379\" }\n" + admin;
    const auto loaded = config::load_text(yaml, "/nowhere/t.yaml");
    if (!loaded) return std::unexpected(loaded.error().front().to_string());
    return admin_client::open(**loaded);
  }
};

TEST_F(AdminClientTarget, IsWhatTheConfigurationSays) {
  const auto made = open("admin: { address: \"127.0.0.1:9200\", token: abc }\n");
  ASSERT_TRUE(made) << made.error();
  EXPECT_EQ(made->where().host, "127.0.0.1");
  EXPECT_EQ(made->where().port, 9200);
  EXPECT_EQ(made->where().token, "abc");
}

TEST_F(AdminClientTarget, IsLoopbackForAListenerOnEveryAddress) {
  EXPECT_EQ(open("admin: { address: \"0.0.0.0:9200\", token: abc }\n")->where().host, "127.0.0.1");
  EXPECT_EQ(open("admin: { address: \"[::]:9200\", token: abc }\n")->where().host, "::1");
}

TEST_F(AdminClientTarget, TakesFromTheEnvironmentWhatTheConfigurationDoesNotSay) {
  ::setenv("TIDEGATE_ADMIN", "proxy-a.internal:9300", 1);
  ::setenv("TIDEGATE_TOKEN", "of-the-environment", 1);
  const auto chosen = open("admin: { address: \"127.0.0.1:0\" }\n");
  ASSERT_TRUE(chosen) << chosen.error();
  EXPECT_EQ(chosen->where().host, "proxy-a.internal");
  EXPECT_EQ(chosen->where().port, 9300);
  EXPECT_EQ(chosen->where().token, "of-the-environment");
  const auto file = open("admin: { address: \"127.0.0.1:9200\", token: abc }\n");
  EXPECT_EQ(file->where().host, "127.0.0.1") << "the file that was named is meant";
  EXPECT_EQ(file->where().token, "abc");
  const auto alone = admin_client::open(std::string());
  ASSERT_TRUE(alone) << alone.error();
  EXPECT_EQ(alone->where().host, "proxy-a.internal");
}

TEST_F(AdminClientTarget, IsMissedWithTheRemedy) {
  EXPECT_NE(admin_client::open(std::string()).error().find("-c FILE"), std::string::npos);
  EXPECT_NE(open("admin: { address: \"127.0.0.1:0\" }\n").error().find("TIDEGATE_ADMIN"), std::string::npos);
  EXPECT_NE(open("admin: off\n").error().find("admin: off"), std::string::npos);
  EXPECT_NE(admin_client::open(std::string("/nowhere/t.yaml")).error().find("/nowhere/t.yaml"), std::string::npos);
  for (const char* wrong : {"9121", ":9121", "host:", "host:0", "host:99999", "http://host:1/x", "a b:1"}) {
    ::setenv("TIDEGATE_ADMIN", wrong, 1);
    EXPECT_FALSE(admin_client::open(std::string())) << wrong;
  }
  ::setenv("TIDEGATE_ADMIN", "[::1]:9121", 1);
  EXPECT_EQ(admin_client::open(std::string())->where().host, "::1");
}

TEST(PathSegment, LeavesNothingThatAPathWouldReadOtherwise) {
  EXPECT_EQ(path_segment("isales-campaign_1.x~"), "isales-campaign_1.x~");
  EXPECT_EQ(path_segment("unnamed@10.0.0.1/a?b#c%"), "unnamed%4010.0.0.1%2Fa%3Fb%23c%25");
  EXPECT_EQ(path_segment("\xff"), "%FF");
}

}  // namespace
}  // namespace tidegate::cli
