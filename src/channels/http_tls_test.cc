// The HTTP output over TLS: real certificates, made by openssl, and a real server.
#include <cstdlib>
#include <thread>

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <httplib.h>

#include "base/test_folder.h"
#include "channels/http_channel.h"
#include "channels/test_alerts.h"

namespace gyrfalcon {
namespace {

using ::testing::HasSubstr;

class HttpTls : public ::testing::Test {
 protected:
  static void SetUpTestSuite() {
    folder_ = std::make_unique<TestFolder>();
    MakeCa("ca");
    MakeCa("other-ca");
    MakeCertificate("server", "ca", "subjectAltName=IP:127.0.0.1");
    MakeCertificate("client", "ca", "extendedKeyUsage=clientAuth");
    MakeCertificate("stranger", "other-ca", "extendedKeyUsage=clientAuth");
  }
  static void TearDownTestSuite() { folder_.reset(); }

  static std::string File(const std::string& name) { return *folder_ / name; }
  static void Run(const std::string& command) {
    ASSERT_EQ(std::system(("cd " + folder_->path() + " && " + command + " 2>openssl.log").c_str()),
              0)
        << command;
  }
  static void MakeCa(const std::string& name) {
    Run("openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 2 -subj "
        "/CN=" +
        name + " -keyout " + name + ".key -out " + name + ".pem");
  }
  static void MakeCertificate(const std::string& name, const std::string& ca,
                              const std::string& extension) {
    Run("openssl req -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -subj /CN=" + name +
        " -keyout " + name + ".key -out " + name + ".csr");
    Run("echo " + extension + " > " + name + ".ext");
    Run("openssl x509 -req -days 2 -in " + name + ".csr -CA " + ca + ".pem -CAkey " + ca +
        ".key -CAcreateserial -extfile " + name + ".ext -out " + name + ".pem");
  }

  class Server {
   public:
    explicit Server(const char* client_ca = nullptr)
        : server_(File("server.pem").c_str(), File("server.key").c_str(), client_ca) {
      server_.Post("/", [](const httplib::Request&, httplib::Response& out) { out.status = 200; });
      port_ = server_.bind_to_any_port("127.0.0.1");
      thread_ = std::thread([this] { server_.listen_after_bind(); });
      while (!server_.is_running()) std::this_thread::yield();
    }
    ~Server() {
      server_.stop();
      thread_.join();
    }
    std::string url() const { return "https://127.0.0.1:" + std::to_string(port_) + "/"; }

   private:
    httplib::SSLServer server_;
    int port_ = 0;
    std::thread thread_;
  };

  static Delivery Deliver(const HttpOptions& options) {
    const auto channel = MakeHttpChannel(options, {}, nullptr);
    EXPECT_TRUE(channel) << channel.error().message;
    return (*channel)->Deliver(TestAlerts({"one"}).batch());
  }

  static inline std::unique_ptr<TestFolder> folder_;
};

TEST_F(HttpTls, OnlyWhomTheConfigBelievesGetsAlerts) {
  const Server server;
  HttpOptions options{.url = server.url(), .ca_cert = File("ca.pem")};
  EXPECT_EQ(Deliver(options).done, 1);
  options = {.url = server.url(), .ca_bundle = File("ca.pem")};
  EXPECT_EQ(Deliver(options).done, 1);
  for (const HttpOptions& wrong :
       {HttpOptions{.url = server.url()},
        HttpOptions{.url = server.url(), .ca_cert = File("other-ca.pem")},
        HttpOptions{.url = server.url(), .ca_path = File("")}}) {
    const Delivery delivery = Deliver(wrong);
    EXPECT_EQ(delivery.done, 0);
    ASSERT_TRUE(delivery.problem);
    EXPECT_THAT(delivery.problem->message, HasSubstr("certificate"));
  }
  options = {.url = server.url(), .insecure = true};
  EXPECT_EQ(Deliver(options).done, 1);
}

TEST_F(HttpTls, ACaFileThatIsWrittenAnewIsBelievedAtTheNextConnection) {
  const Server server;
  Run("cp other-ca.pem renewed.pem");
  const auto channel =
      MakeHttpChannel({.url = server.url(), .ca_cert = File("renewed.pem")}, {}, nullptr);
  ASSERT_TRUE(channel) << channel.error().message;
  const TestAlerts alerts({"one"});
  EXPECT_EQ((*channel)->Deliver(alerts.batch()).done, 0);
  Run("cp ca.pem renewed.pem");
  EXPECT_EQ((*channel)->Deliver(alerts.batch()).done, 1);
}

TEST_F(HttpTls, AFolderOfCasIsReadByTheirHashes) {
  const Server server;
  Run("mkdir -p cas && cp ca.pem cas/$(openssl x509 -hash -noout -in ca.pem).0");
  EXPECT_EQ(Deliver({.url = server.url(), .ca_path = File("cas")}).done, 1);
}

TEST_F(HttpTls, AReceiverThatWantsACertificateGetsOursAndTakesNoOthers) {
  const std::string ca = File("ca.pem");
  const Server server(ca.c_str());
  HttpOptions options{.url = server.url(), .ca_cert = File("ca.pem")};
  EXPECT_TRUE(Deliver(options).problem) << "without one";
  options.mtls = true;
  options.client_cert = File("stranger.pem");
  options.client_key = File("stranger.key");
  EXPECT_TRUE(Deliver(options).problem) << "of another CA";
  options.client_cert = File("client.pem");
  options.client_key = File("client.key");
  const Delivery delivery = Deliver(options);
  EXPECT_EQ(delivery.done, 1);
  EXPECT_FALSE(delivery.problem) << delivery.problem->message;
}

TEST_F(HttpTls, AnotherNameThanTheCertificatesIsRefused) {
  const Server server;
  std::string url = server.url();
  url.replace(url.find("127.0.0.1"), 9, "localhost");
  const Delivery delivery = Deliver({.url = url, .ca_cert = File("ca.pem")});
  EXPECT_TRUE(delivery.problem);
}

}  // namespace
}  // namespace gyrfalcon
