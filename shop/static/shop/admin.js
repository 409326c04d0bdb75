/* Add a color picker beside each color field of the admin. */

for (const field of document.querySelectorAll("input[data-color]")) {
  const picker = document.createElement("input");
  picker.type = "color";
  picker.ariaLabel = document.querySelector(`label[for="${field.id}"]`)?.textContent.replace(":", "") ?? "";
  const follow = () => (picker.value = field.checkValidity() && field.value ? field.value : field.dataset.color);
  field.pattern = "#[0-9a-fA-F]{6}";
  field.addEventListener("input", follow);
  picker.addEventListener("input", () => (field.value = picker.value));
  follow();
  field.after(picker);
}
