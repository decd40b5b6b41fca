#include "proxy/admin/admin_server.hpp"

#include <gtest/gtest.h>

#include <boost/asio/io_context.hpp>
#include <boost/asio/read.hpp>
#include <boost/asio/write.hpp>

#include "tests/admin/watched.hpp"

namespace tidegate::admin {
namespace {

namespace asio = boost::asio;
using asio::ip::tcp;

class AdminServer : public testing::Test {
 protected:
  void start(admin_limits limits = {}) {
    server_ = std::make_unique<admin_server>(
        admin_server::options{.address = "127.0.0.1", .port = 0, .from = world_.from, .limits = limits});
    const auto started = server_->start();
    ASSERT_TRUE(started) << started.error();
  }
  tcp::socket connect() {
    tcp::socket socket(context_);
    socket.connect(server_->endpoint());
    return socket;
  }
  // All until the server closes.
  static std::string read_all(tcp::socket& socket) {
    std::string got;
    boost::system::error_code ended;
    asio::read(socket, asio::dynamic_buffer(got), ended);
    return got;
  }
  std::string ask(const std::string& bytes) {
    tcp::socket socket = connect();
    boost::system::error_code ignored;  // the server may close before it took all
    asio::write(socket, asio::buffer(bytes), ignored);
    return read_all(socket);
  }

  test::watched world_{1};
  asio::io_context context_;
  std::unique_ptr<admin_server> server_;
};

TEST_F(AdminServer, AnswersAndKeepsTheConnectionForTheNextRequest) {
  start();
  const std::string got =
      ask("GET /healthz HTTP/1.1\r\nHost: a\r\n\r\nGET /nothing HTTP/1.1\r\nHost: a\r\n\r\n"
          "GET /metrics HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n");
  EXPECT_TRUE(got.starts_with("HTTP/1.1 200 OK\r\n")) << got;
  EXPECT_NE(got.find("HTTP/1.1 404 Not Found\r\n"), std::string::npos);
  EXPECT_NE(got.find("Content-Type: text/plain; version=0.0.4; charset=utf-8\r\n"), std::string::npos);
  EXPECT_NE(got.find("# TYPE tidegate_writes_total counter\n"), std::string::npos);
}

TEST_F(AdminServer, AnswersHeadWithoutABody) {
  start();
  const std::string got = ask("HEAD /metrics HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n");
  EXPECT_TRUE(got.starts_with("HTTP/1.1 200 OK\r\n")) << got;
  EXPECT_TRUE(got.ends_with("\r\n\r\n")) << got;
}

TEST_F(AdminServer, RefusesOtherMethodsAndSaysWhatIsAllowed) {
  start();
  const std::string got =
      ask("DELETE /metrics HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\nConnection: close\r\n\r\nabc");
  EXPECT_TRUE(got.starts_with("HTTP/1.1 405 ")) << got;
  EXPECT_NE(got.find("Allow: GET, HEAD\r\n"), std::string::npos);
}

TEST_F(AdminServer, RefusesWhatIsNotHttp) {
  start();
  EXPECT_TRUE(ask("*1\r\n$4\r\nPING\r\n").starts_with("HTTP/1.1 400 "));
  EXPECT_TRUE(ask("GET /metrics HTTP/9.9\r\n\r\n").starts_with("HTTP/1.1 400 "));
}

TEST_F(AdminServer, RefusesAHeaderBeyondItsBound) {
  start({.header_bytes_max = 1024});
  const std::string got = ask("GET /healthz HTTP/1.1\r\nX: " + std::string(4096, 'x') + "\r\n\r\n");
  EXPECT_TRUE(got.starts_with("HTTP/1.1 431 ")) << got;
}

TEST_F(AdminServer, RefusesABodyBeyondItsBoundBeforeReadingIt) {
  start();
  const std::string got = ask("POST /metrics HTTP/1.1\r\nHost: a\r\nContent-Length: 99999999999\r\n\r\n");
  EXPECT_TRUE(got.starts_with("HTTP/1.1 413 ")) << got;
}

TEST_F(AdminServer, ClosesOnAClientThatNeverEndsItsRequest) {
  start({.deadline = std::chrono::milliseconds(100)});
  tcp::socket socket = connect();
  asio::write(socket, asio::buffer(std::string("GET /hea")));
  EXPECT_EQ(read_all(socket), "") << "the read ends only because the server closed";
}

TEST_F(AdminServer, ServesOthersWhileAClientIsSlow) {
  start();
  tcp::socket slow = connect();
  asio::write(slow, asio::buffer(std::string("GET /hea")));
  EXPECT_TRUE(ask("GET /healthz HTTP/1.0\r\n\r\n").starts_with("HTTP/1.0 200 OK\r\n"));
}

TEST_F(AdminServer, ClosesConnectionsBeyondItsBoundAndForgetsThoseThatEnd) {
  start({.connections_max = 2});
  tcp::socket first = connect();
  tcp::socket second = connect();
  EXPECT_EQ(ask("GET /healthz HTTP/1.0\r\n\r\n"), "") << "the third finds no place";
  asio::write(first, asio::buffer(std::string("GET /healthz HTTP/1.1\r\nConnection: close\r\n\r\n")));
  EXPECT_TRUE(read_all(first).starts_with("HTTP/1.1 200 OK\r\n"));
  first.close();
  // The place is free once the server saw the close, which no answer tells: each attempt waits for an answer or a
  // close.
  std::string got;
  for (int attempt = 0; attempt < 10000 && got.empty(); ++attempt) got = ask("GET /healthz HTTP/1.0\r\n\r\n");
  EXPECT_TRUE(got.starts_with("HTTP/1.0 200 OK\r\n")) << got;
}

TEST_F(AdminServer, SaysWhichAddressItCannotHave) {
  start();
  admin_server other({.address = "127.0.0.1", .port = server_->endpoint().port(), .from = world_.from, .limits = {}});
  const auto started = other.start();
  ASSERT_FALSE(started);
  EXPECT_NE(started.error().find("127.0.0.1:" + std::to_string(server_->endpoint().port())), std::string::npos);
}

TEST_F(AdminServer, StopsWhileClientsAreConnected) {
  start();
  tcp::socket idle = connect();
  tcp::socket half = connect();
  asio::write(half, asio::buffer(std::string("GET /metr")));
  server_->stop();
  server_.reset();
  EXPECT_EQ(read_all(idle), "");
}

}  // namespace
}  // namespace tidegate::admin
