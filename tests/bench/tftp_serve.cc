// tftp_serve PORT FOLDER [--single-port]: our TFTP server on plain files, to be measured beside its
// peers. Prints its port once it listens; ends by a signal.
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cstdio>
#include <cstdlib>
#include <string>
#include <utility>

#include <boost/asio/signal_set.hpp>

#include "agent/tftp/server.h"
#include "common/base/unique_fd.h"

namespace farboot {
namespace {

class PlainFile final : public TftpFile {
 public:
  PlainFile(UniqueFd fd, std::uint64_t size) : fd_(std::move(fd)), size_(size) {}
  std::uint64_t size_bytes() const override { return size_; }
  Task<Result<Bytes>> read(std::uint64_t offset, std::size_t n) override {
    Bytes bytes(n);
    const ssize_t got = ::pread(fd_.get(), bytes.data(), n, static_cast<off_t>(offset));
    if (got < 0) co_return fail(Errc::internal, "pread failed");
    bytes.resize(static_cast<std::size_t>(got));
    co_return bytes;
  }

 private:
  UniqueFd fd_;
  std::uint64_t size_;
};

class Folder final : public TftpFileSource {
 public:
  explicit Folder(std::string path) : path_(std::move(path)) {}
  Task<Result<std::unique_ptr<TftpFile>>> open(std::string path, TftpAsker) override {
    UniqueFd fd(::open((path_ + "/" + path).c_str(), O_RDONLY | O_CLOEXEC));
    struct stat facts {};
    if (!fd || ::fstat(fd.get(), &facts) != 0 || !S_ISREG(facts.st_mode))
      co_return fail(Errc::not_found, "file {}: none", path);
    std::unique_ptr<TftpFile> file =
        std::make_unique<PlainFile>(std::move(fd), static_cast<std::uint64_t>(facts.st_size));
    co_return file;
  }

 private:
  std::string path_;
};

int serve(int count, char** words) {
  if (count < 3) {
    std::fprintf(stderr, "usage: tftp_serve PORT FOLDER [--single-port]\n");
    return 2;
  }
  log::set_level(log::Level::error);
  Loop loop(1);
  Folder folder(words[2]);
  TftpServerOptions options;
  options.port = static_cast<std::uint16_t>(std::atoi(words[1]));
  options.sessions_per_client_max = 512;  // the load comes from one address
  options.single_port = count > 3 && std::string(words[3]) == "--single-port";
  TftpServer server(loop, folder, options);
  if (auto bound = server.bind(); !bound) {
    std::fprintf(stderr, "%s\n", bound.error().what.c_str());
    return 1;
  }
  server.start();
  std::printf("%u\n", server.port());
  std::fflush(stdout);
  boost::asio::signal_set signals(loop, SIGTERM, SIGINT);
  signals.async_wait([&server](const boost::system::error_code&, int) { server.stop(); });
  loop.run();
  return 0;
}

}  // namespace
}  // namespace farboot

int main(int count, char** words) { return farboot::serve(count, words); }
