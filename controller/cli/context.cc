#include "controller/cli/context.h"

#include <cstdlib>
#include <fstream>
#include <sstream>

#include <nlohmann/json.hpp>

namespace farboot {

Result<std::filesystem::path> context_folder(const std::string& option) {
  if (!option.empty()) return std::filesystem::path(option);
  if (const char* const set = std::getenv("FARBOOT_CONTEXT"); set != nullptr && *set != '\0')
    return std::filesystem::path(set);
  if (const char* const home = std::getenv("HOME"); home != nullptr && *home != '\0')
    return std::filesystem::path(home) / ".config" / "farboot";
  return fail(Errc::not_found, "no context: give --context DIR or set FARBOOT_CONTEXT");
}

Result<OperatorContext> load_context(const std::filesystem::path& folder) {
  const std::filesystem::path file = folder / "context.json";
  std::error_code error;
  if (!std::filesystem::exists(file, error))
    return fail(Errc::not_found,
                "{}: is not there; copy the folder `operator` from the controller's state "
                "directory to {}, or name it with --context",
                file.string(), folder.string());
  std::ifstream in(file);
  std::ostringstream text;
  text << in.rdbuf();
  const auto json = nlohmann::json::parse(text.str(), nullptr, false);
  if (!json.is_object() || !json.contains("address") || !json["address"].is_string())
    return fail(Errc::invalid, "{}: want {{\"address\": \"host:7443\"}}", file.string());
  OperatorContext out;
  out.folder = folder;
  out.address = json["address"].get<std::string>();
  auto credentials = load_credentials({folder / "ca.pem", folder / "cert.pem", folder / "key.pem"});
  if (!credentials) return credentials.error();
  out.credentials = std::move(*credentials);
  return out;
}

}  // namespace farboot
