// A small HTTP server on loopback that gives out a tree, and can be told to misbehave.
#pragma once

#include <map>
#include <string>
#include <thread>
#include <vector>

#include "common/base/guarded.h"
#include "common/base/unique_fd.h"
#include "small_tree.h"

namespace farboot {

class MirrorServer {
 public:
  struct Fault {
    int times = 0;              ///< how many more requests it meets
    int status = 0;             ///< answer this, or
    std::size_t cut_after = 0;  ///< close after so many bytes of the body
    std::string then;           ///< what the file is from then on; empty: unchanged
  };
  struct Request {
    std::string method;
    std::string path;
    std::uint64_t offset = 0;
    std::string if_range;
  };

  explicit MirrorServer(TreeFiles tree);
  ~MirrorServer();
  MirrorServer(const MirrorServer&) = delete;
  MirrorServer& operator=(const MirrorServer&) = delete;

  std::string url() const;
  void set_tree(TreeFiles tree);
  void fault(const std::string& path, Fault fault);
  /// Answers every request from the first byte.
  void ignore_ranges();
  /// Of a server that knows no HEAD, say.
  void answer_heads(int status);
  /// Of a server that does not say what it lacks.
  void answer_absent(int status);
  std::vector<Request> requests() const;
  std::size_t gets_of(const std::string& path) const;

 private:
  struct State {
    TreeFiles tree;
    std::map<std::string, Fault> faults;
    bool ranges = true;
    int head_status = 0;
    int absent_status = 404;
    std::vector<Request> requests;
  };
  void run();
  void serve(int client);
  std::string answer(const Request& request);

  Guarded<State> state_;
  UniqueFd listener_;
  UniqueFd wake_reader_;
  UniqueFd wake_writer_;
  std::uint16_t port_ = 0;
  std::thread thread_;
};

}  // namespace farboot
