// Certificates and policy of TLS, over a socket pair: every case is a handshake between our own two ends or a bare
// OpenSSL client.
#include "proxy/net/tls_context.hpp"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <cstring>
#include <string>

#include "tests/net/certificates.hpp"

namespace tidegate::net_test {
namespace {

using net::io_result;
using net::io_status;
using net::tls_context;
using net::transport;

config::tls_listener listener_files(const certificate_files& files, const std::string& client_ca = {},
                                    config::client_auth auth = config::client_auth::none) {
  return {files.certificate, files.key, client_ca, auth};
}

// Two ends of a stream, and both sides' handshakes driven by turns until each came to an end.
struct pair_of_ends {
  pair_of_ends() {
    std::array<int, 2> fds{};
    EXPECT_EQ(::socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, fds.data()), 0);
    server_fd = fds[0];
    client_fd = fds[1];
    server.attach(server_fd);
    client.attach(client_fd);
  }
  ~pair_of_ends() {
    ::close(server_fd);
    ::close(client_fd);
  }
  static bool over(io_status s) { return s != io_status::want_read && s != io_status::want_write; }
  void shake() {
    for (int i = 0; i < 20; ++i) {
      if (!over(client_status)) client_status = client.handshake().status;
      if (!over(server_status)) server_status = server.handshake().status;
      if (over(client_status) && over(server_status)) break;
    }
    // TLS 1.3: a client is done before the server has judged its certificate; the verdict comes with the next read.
  }
  int server_fd = -1, client_fd = -1;
  transport server, client;
  io_status server_status = io_status::want_read, client_status = io_status::want_read;
};

struct TlsContext : testing::Test {
  folder files;
  authority ca{files, "ca"}, other_ca{files, "other-ca"};

  // What our upstream side says of a server with this certificate.
  std::string verdict(const certificate_files& server_files, const std::string& host, const std::string& trusted) {
    const auto server = tls_context::for_clients(listener_files(server_files));
    const auto client = tls_context::for_upstream(host, trusted);
    EXPECT_TRUE(server.has_value() && client.has_value());
    pair_of_ends ends;
    EXPECT_TRUE(ends.server.start_tls((*server)->new_session()));
    EXPECT_TRUE(ends.client.start_tls((*client)->new_session()));
    ends.shake();
    if (ends.client_status == io_status::ok) return "accepted";
    return ends.client.describe_failure();
  }
};

TEST_F(TlsContext, AcceptsAnUpstreamThatTheAuthoritySignedForTheHost) {
  EXPECT_EQ(verdict(ca.issue("good"), "localhost", ca.file()), "accepted");
  EXPECT_EQ(verdict(ca.issue("address", {.names = "IP:127.0.0.1"}), "127.0.0.1", ca.file()), "accepted");
  EXPECT_EQ(verdict(ca.issue("wild", {.names = "DNS:*.cache.example.com"}), "a.cache.example.com", ca.file()),
            "accepted");
}

TEST_F(TlsContext, RefusesAnUpstreamOfAnotherAuthority) {
  EXPECT_EQ(verdict(ca.issue("good"), "localhost", other_ca.file()),
            "certificate not accepted: unable to get local issuer certificate");
}

TEST_F(TlsContext, RefusesAnUpstreamOfThatAuthorityForAnotherHost) {
  EXPECT_EQ(verdict(ca.issue("good"), "elsewhere.example.com", ca.file()),
            "certificate not accepted: hostname mismatch");
  EXPECT_EQ(verdict(ca.issue("named"), "127.0.0.1", ca.file()), "certificate not accepted: IP address mismatch");
  EXPECT_EQ(verdict(ca.issue("wild", {.names = "DNS:*.example.com"}), "a.b.example.com", ca.file()),
            "certificate not accepted: hostname mismatch");
}

TEST_F(TlsContext, RefusesAnUpstreamThatExpiredOrIsNotYetValid) {
  EXPECT_EQ(verdict(ca.issue("old", {.not_before_days = -10, .not_after_days = -1}), "localhost", ca.file()),
            "certificate not accepted: certificate has expired");
  EXPECT_EQ(verdict(ca.issue("new", {.not_before_days = 1}), "localhost", ca.file()),
            "certificate not accepted: certificate is not yet valid");
}

TEST_F(TlsContext, RefusesASelfSignedUpstream) {
  EXPECT_EQ(verdict(authority::self_signed(files, "self"), "localhost", ca.file()),
            "certificate not accepted: self-signed certificate");
}

TEST_F(TlsContext, SaysWhichFileIsWrong) {
  const certificate_files good = ca.issue("good"), another = ca.issue("another");
  const std::string empty = files.write("empty.pem", ""),
                    garbage = files.write("garbage.pem", "-----BEGIN CERTIFICATE-----\nMIIB");
  const auto error = [](const config::tls_listener& from) {
    const auto made = tls_context::for_clients(from);
    return made ? std::string("accepted") : made.error();
  };
  EXPECT_NE(error({good.certificate, another.key, "", {}}).find(another.key), std::string::npos);
  EXPECT_NE(error({good.certificate, files.path("absent.key"), "", {}}).find("absent.key"), std::string::npos);
  for (const std::string& broken : {empty, garbage, files.path("absent.crt"), std::string("/proc/self")}) {
    EXPECT_EQ(error({broken, good.key, "", {}}).rfind(broken + ": ", 0), 0U) << error({broken, good.key, "", {}});
    EXPECT_EQ(error({good.certificate, good.key, broken, config::client_auth::optional}).rfind(broken + ": ", 0), 0U);
    const auto upstream = tls_context::for_upstream("localhost", broken);
    ASSERT_FALSE(upstream.has_value());
    EXPECT_EQ(upstream.error().rfind(broken + ": ", 0), 0U);
  }
}

TEST_F(TlsContext, FailsOnAnEncryptedKeyInsteadOfAskingForItsPassphrase) {
  const certificate_files good = ca.issue("good");
  std::FILE* in = std::fopen(good.key.c_str(), "r");
  EVP_PKEY* key = PEM_read_PrivateKey(in, nullptr, nullptr, nullptr);
  std::fclose(in);
  std::FILE* out = std::fopen(files.path("locked.key").c_str(), "w");
  PEM_write_PrivateKey(out, key, EVP_aes_128_cbc(), reinterpret_cast<const unsigned char*>("secret"), 6, nullptr,
                       nullptr);
  std::fclose(out);
  EVP_PKEY_free(key);
  const auto made = tls_context::for_clients({good.certificate, files.path("locked.key"), "", {}});
  ASSERT_FALSE(made.has_value());
  EXPECT_NE(made.error().find("unencrypted"), std::string::npos);
}

// --- certificates of clients

struct ClientCertificates : TlsContext {
  struct outcome {
    bool accepted = false;
    std::string subject;
  };
  // `shown` empty = the client has none.
  outcome connect(config::client_auth auth, const certificate_files& shown) {
    const auto server = tls_context::for_clients(listener_files(ca.issue("server"), ca.file(), auth));
    EXPECT_TRUE(server.has_value());
    SSL_CTX* raw = SSL_CTX_new(TLS_client_method());
    if (!shown.certificate.empty()) {
      EXPECT_EQ(SSL_CTX_use_certificate_chain_file(raw, shown.certificate.c_str()), 1);
      EXPECT_EQ(SSL_CTX_use_PrivateKey_file(raw, shown.key.c_str(), SSL_FILETYPE_PEM), 1);
    }
    outcome result;
    {
      net::ssl_pointer client(SSL_new(raw));
      SSL_set_connect_state(client.get());
      pair_of_ends ends;
      EXPECT_TRUE(ends.server.start_tls((*server)->new_session()));
      EXPECT_TRUE(ends.client.start_tls(std::move(client)));
      ends.shake();
      result.accepted = ends.server_status == io_status::ok;
      if (result.accepted) result.subject = net::subject_of_peer(ends.server.ssl());
    }
    SSL_CTX_free(raw);
    return result;
  }
};

TEST_F(ClientCertificates, AreIgnoredDemandedOrCheckedAsConfigured) {
  const certificate_files absent{}, right = ca.issue("right"), wrong = other_ca.issue("wrong"),
                                    old = ca.issue("old", {.not_before_days = -9, .not_after_days = -1}),
                                    self = authority::self_signed(files, "self");
  const auto none = config::client_auth::none, optional = config::client_auth::optional,
             required = config::client_auth::required;
  EXPECT_TRUE(connect(none, absent).accepted);
  EXPECT_TRUE(connect(none, wrong).accepted);
  EXPECT_TRUE(connect(optional, absent).accepted);
  EXPECT_FALSE(connect(required, absent).accepted);
  for (const auto auth : {optional, required}) {
    EXPECT_TRUE(connect(auth, right).accepted);
    EXPECT_FALSE(connect(auth, wrong).accepted);
    EXPECT_FALSE(connect(auth, old).accepted);
    EXPECT_FALSE(connect(auth, self).accepted);
  }
}

TEST_F(ClientCertificates, NameTheClientByTheFirstDnsNameElseTheCommonName) {
  const auto named = [&](const wish& what) {
    return connect(config::client_auth::required, ca.issue("client", what)).subject;
  };
  EXPECT_EQ(named({.common_name = "job", .names = ""}), "job");
  EXPECT_EQ(named({.common_name = "job", .names = "IP:10.0.0.1"}), "job");
  EXPECT_EQ(named({.common_name = "job", .names = "IP:10.0.0.1,DNS:first.example,DNS:second.example"}),
            "first.example");
  EXPECT_EQ(named({.common_name = "a\nb", .names = ""}), "");
  EXPECT_EQ(named({.common_name = std::string("isales\0evil", 11), .names = ""}), "");
}

TEST_F(ClientCertificates, NameNobodyWhenNobodyCheckedThem) {
  EXPECT_EQ(connect(config::client_auth::none, ca.issue("client")).subject, "");
  EXPECT_EQ(connect(config::client_auth::optional, {}).subject, "");
}

// --- protocol policy

struct TlsPolicy : TlsContext {
  // A bare OpenSSL client against our server side; `prepare` shapes it.
  template <class Prepare>
  void with_client(const config::tls_listener& where, Prepare&& prepare) {
    const auto server = tls_context::for_clients(where);
    ASSERT_TRUE(server.has_value());
    SSL_CTX* raw = SSL_CTX_new(TLS_client_method());
    SSL_CTX_set_security_level(raw, 0);
    {
      net::ssl_pointer client(SSL_new(raw));
      SSL_set_connect_state(client.get());
      prepare(client.get());
      bare = client.get();
      ASSERT_TRUE(ends.server.start_tls((*server)->new_session()));
      ASSERT_TRUE(ends.client.start_tls(std::move(client)));
    }
    SSL_CTX_free(raw);
    ends.shake();
  }
  SSL* bare = nullptr;
  pair_of_ends ends;
};

TEST_F(TlsPolicy, RefusesTls11) {
  with_client(listener_files(ca.issue("server")), [](SSL* client) {
    SSL_set_min_proto_version(client, TLS1_VERSION);
    SSL_set_max_proto_version(client, TLS1_1_VERSION);
  });
  EXPECT_EQ(ends.server_status, io_status::failed);
  EXPECT_EQ(ends.server.describe_failure(), "TLS: unsupported protocol");
}

TEST_F(TlsPolicy, RefusesACipherWithoutForwardSecrecyOrAead) {
  with_client(listener_files(ca.issue("server")), [](SSL* client) {
    SSL_set_max_proto_version(client, TLS1_2_VERSION);
    SSL_set_cipher_list(client, "ECDHE-ECDSA-AES128-SHA:AES128-GCM-SHA256");
  });
  EXPECT_EQ(ends.server_status, io_status::failed);
  EXPECT_EQ(ends.server.describe_failure(), "TLS: no shared cipher");
}

TEST_F(TlsPolicy, SpeaksTls12WithoutCompression) {
  with_client(listener_files(ca.issue("server")),
              [](SSL* client) { SSL_set_max_proto_version(client, TLS1_2_VERSION); });
  ASSERT_EQ(ends.server_status, io_status::ok);
  EXPECT_STREQ(SSL_get_version(ends.server.ssl()), "TLSv1.2");
  EXPECT_EQ(SSL_get_current_compression(bare), nullptr);
}

TEST_F(TlsPolicy, RefusesRenegotiation) {
  with_client(listener_files(ca.issue("server")),
              [](SSL* client) { SSL_set_max_proto_version(client, TLS1_2_VERSION); });
  ASSERT_EQ(ends.server_status, io_status::ok);
  ASSERT_EQ(SSL_renegotiate(bare), 1);
  std::array<char, 16> room{};
  EXPECT_EQ(ends.client.handshake().status, io_status::want_read);  // its ClientHello is under way
  const io_result got = ends.server.read(room.data(), room.size());
  EXPECT_EQ(got.bytes, 0U);
  EXPECT_NE(got.status, io_status::ok);
  // Our side answered with an alert and did not begin a second handshake.
  EXPECT_EQ(SSL_in_init(ends.server.ssl()), 0);
  EXPECT_EQ(ends.client.handshake().status, io_status::failed);
  EXPECT_EQ(ends.client.describe_failure(), "TLS: no renegotiation");
  EXPECT_EQ(SSL_num_renegotiations(const_cast<SSL*>(ends.server.ssl())), 0);
}

TEST_F(TlsPolicy, GivesNoTicketWhereClientsMayShowCertificates) {
  std::array<char, 16> room{};
  with_client(listener_files(ca.issue("server"), ca.file(), config::client_auth::optional), [](SSL*) {});
  ASSERT_EQ(ends.server_status, io_status::ok);
  EXPECT_EQ(ends.client.read(room.data(), room.size()).status, io_status::want_read);
  EXPECT_EQ(SSL_SESSION_is_resumable(SSL_get0_session(bare)), 0);
}

TEST_F(TlsPolicy, GivesATicketWhereNoCertificateIsAskedFor) {
  std::array<char, 16> room{};
  with_client(listener_files(ca.issue("server")), [](SSL*) {});
  ASSERT_EQ(ends.server_status, io_status::ok);
  EXPECT_EQ(ends.client.read(room.data(), room.size()).status, io_status::want_read);
  EXPECT_EQ(SSL_SESSION_is_resumable(SSL_get0_session(bare)), 1);
}

// --- bytes

struct Bytes : TlsPolicy {
  void SetUp() override {
    with_client(listener_files(ca.issue("server")), [](SSL*) {});
    ASSERT_EQ(ends.server_status, io_status::ok);
    std::array<char, 16> room{};
    ASSERT_EQ(ends.client.read(room.data(), room.size()).status, io_status::want_read);  // the ticket
  }
};

TEST_F(Bytes, PassWholeThroughShortWritesOnBothSides) {
  // The sender's bytes move between calls, as the engine's buffer does when it grows.
  std::string sent;
  for (int i = 0; sent.size() < (3U << 20); ++i) sent += std::to_string(i) + ",";
  std::string pending = sent, got;
  std::string room(20'000, 0);
  int short_writes = 0;
  while (got.size() < sent.size()) {
    if (!pending.empty()) {
      const std::string moved = pending;
      const io_result put = ends.server.write(moved);
      ASSERT_NE(put.status, io_status::failed) << ends.server.describe_failure();
      if (put.status == io_status::want_write) ++short_writes;
      pending.erase(0, put.bytes);
    }
    const io_result taken = ends.client.read(room.data(), room.size());
    ASSERT_NE(taken.status, io_status::failed);
    got.append(room, 0, taken.bytes);
  }
  EXPECT_EQ(got, sent);
  EXPECT_GT(short_writes, 0);
}

TEST_F(Bytes, OfManySmallRecordsComeInOneRead) {
  for (int i = 0; i < 50; ++i) ASSERT_EQ(ends.client.write("PING\r\n").bytes, 6U);
  std::array<char, 4096> room{};
  const io_result got = ends.server.read(room.data(), room.size());
  EXPECT_EQ(got.bytes, 300U);
  EXPECT_EQ(got.status, io_status::want_read);
}

TEST_F(Bytes, FillExactlyTheRoomAndLeaveTheRestForTheNextRead) {
  ASSERT_EQ(ends.client.write("abcdef").bytes, 6U);
  std::array<char, 4> room{};
  const io_result first = ends.server.read(room.data(), room.size());
  EXPECT_EQ(first.bytes, 4U);
  EXPECT_EQ(first.status, io_status::ok);
  const io_result second = ends.server.read(room.data(), room.size());
  EXPECT_EQ(std::string(room.data(), second.bytes), "ef");
  EXPECT_EQ(second.status, io_status::want_read);
}

TEST_F(Bytes, BeforeACloseNotifyAreNotLost) {
  ASSERT_EQ(ends.client.write("last").bytes, 4U);
  ends.client.end_writing();
  std::array<char, 64> room{};
  const io_result got = ends.server.read(room.data(), room.size());
  EXPECT_EQ(std::string(room.data(), got.bytes), "last");
  EXPECT_EQ(got.status, io_status::end);
}

TEST_F(Bytes, BeforeABareFinAreNotLostAndItIsAnEnd) {
  ASSERT_EQ(ends.client.write("last").bytes, 4U);
  ::shutdown(ends.client_fd, SHUT_WR);
  std::array<char, 64> room{};
  const io_result got = ends.server.read(room.data(), room.size());
  EXPECT_EQ(std::string(room.data(), got.bytes), "last");
  EXPECT_EQ(ends.server.read(room.data(), room.size()).status, io_status::end);
}

TEST_F(Bytes, ThatAreNoTlsEndTheConnectionWithAnError) {
  ASSERT_EQ(::send(ends.client_fd, "PING\r\n*1\r\n$4\r\nPING\r\n", 20, MSG_NOSIGNAL), 20);
  std::array<char, 64> room{};
  const io_result got = ends.server.read(room.data(), room.size());
  EXPECT_EQ(got.bytes, 0U);
  EXPECT_EQ(got.status, io_status::failed);
  EXPECT_EQ(ends.server.write("never").status, io_status::failed);
  ends.server.end_writing();  // must not speak TLS any more, only say FIN
}

TEST(Transport, TellsPlainBytesOnATlsPortFromTls) {
  folder files;
  authority ca(files, "ca");
  const auto server = tls_context::for_clients(listener_files(ca.issue("server")));
  for (const std::string_view first :
       {"PING\r\n", "*1\r\n$4\r\nPING\r\n", "GET / HTTP/1.1\r\n\r\n", "\x16\x03\x01\xff\xff"}) {
    pair_of_ends ends;
    ASSERT_TRUE(ends.server.start_tls((*server)->new_session()));
    ASSERT_EQ(::send(ends.client_fd, first.data(), first.size(), MSG_NOSIGNAL), static_cast<ssize_t>(first.size()));
    EXPECT_EQ(ends.server.handshake().status, io_status::failed) << first;
  }
}

TEST(Transport, TakesAFinInTheMiddleOfAHandshakeForAnEnd) {
  folder files;
  authority ca(files, "ca");
  const auto server = tls_context::for_clients(listener_files(ca.issue("server")));
  pair_of_ends ends;
  ASSERT_TRUE(ends.server.start_tls((*server)->new_session()));
  ASSERT_EQ(::send(ends.client_fd, "\x16\x03\x01", 3, MSG_NOSIGNAL), 3);
  EXPECT_EQ(ends.server.handshake().status, io_status::want_read);
  ::shutdown(ends.client_fd, SHUT_WR);
  const io_status status = ends.server.handshake().status;
  EXPECT_TRUE(status == io_status::end || status == io_status::failed);
}

TEST(Transport, ReportsAPlainEndAndAPlainShortWrite) {
  pair_of_ends ends;
  const std::string much(8U << 20, 'x');
  const io_result put = ends.server.write(much);
  EXPECT_GT(put.bytes, 0U);
  EXPECT_LT(put.bytes, much.size());
  EXPECT_EQ(put.status, io_status::want_write);
  EXPECT_EQ(ends.server.write(much).bytes, 0U);
  std::array<char, 16> room{};
  EXPECT_EQ(ends.server.read(room.data(), room.size()).status, io_status::want_read);
  ::shutdown(ends.client_fd, SHUT_WR);
  EXPECT_EQ(ends.server.read(room.data(), room.size()).status, io_status::end);
}

}  // namespace
}  // namespace tidegate::net_test
