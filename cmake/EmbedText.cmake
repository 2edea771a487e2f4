# gyrfalcon_embed_text(TARGET SYMBOL FILE): compiles FILE into TARGET as the std::string_view
# gyrfalcon::SYMBOL, declared by whoever uses it as `extern const std::string_view SYMBOL;`.
function(gyrfalcon_embed_text target symbol file)
  set(output ${CMAKE_CURRENT_BINARY_DIR}/${symbol}.cc)
  set_property(DIRECTORY APPEND PROPERTY CMAKE_CONFIGURE_DEPENDS ${file})
  file(READ ${file} bytes HEX)
  string(REGEX REPLACE "([0-9a-f][0-9a-f])" "\\\\x\\1" escaped "${bytes}")
  string(REGEX REPLACE "((\\\\x[0-9a-f][0-9a-f])(\\\\x[0-9a-f][0-9a-f])?)" "\\1" escaped "${escaped}")
  string(LENGTH "${bytes}" hex_length)
  math(EXPR length "${hex_length} / 2")
  file(WRITE ${output}.new
"#include <string_view>
namespace gyrfalcon {
extern const std::string_view ${symbol};
const std::string_view ${symbol}{\"${escaped}\", ${length}};
}  // namespace gyrfalcon
")
  file(COPY_FILE ${output}.new ${output} ONLY_IF_DIFFERENT)
  target_sources(${target} PRIVATE ${output})
endfunction()
