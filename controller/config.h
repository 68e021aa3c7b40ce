// The controller's settings, read once at start from a TOML file.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "common/config/key_table.h"

namespace farboot {

struct ControllerConfig {
  std::string state_dir = "/var/lib/farboot-controller";
  std::string log_level = "info";
  std::string listen = "0.0.0.0:7443";
  std::vector<std::string> names;
  std::uint64_t store_budget_bytes = 0;   ///< 0: the store's own default
  std::uint64_t store_reserve_bytes = 0;  ///< 0: the store's own default

  std::string database_folder() const { return state_dir + "/db"; }
  std::string packs_folder() const { return state_dir + "/packs"; }
  std::string pki_folder() const { return state_dir + "/pki"; }
  std::string release_key_file() const { return state_dir + "/release.key"; }
  std::string imports_folder() const { return state_dir + "/imports"; }
  std::string operator_folder() const { return state_dir + "/operator"; }
};

/// One row per key, bound to `config`, which must outlive the table.
KeyTable controller_keys(ControllerConfig& config);

}  // namespace farboot
